"""A day at a time, and runs without what takes most of their time."""

import pytest

from flyball import evidence
from flyball.runtime import measure
from flyball.runtime import run as running
from flyball.runtime.store import Store


@pytest.fixture
def sent(tmp_path):
    """Take files into a store: `sent(page, files, ...)`; files of one call come together."""

    def send(page, *groups, folder=None):
        store = Store.open(folder or tmp_path / "store", page.data)
        for group in groups:
            store.ingest(group)
        return store

    return send


@pytest.fixture
def quick(monkeypatch):
    """No report is drawn and no scorer measured in a process of its own: both are tried elsewhere."""
    told = {
        "p50_ms": 0.1,
        "p99_ms": 0.2,
        "p999_ms": 0.3,
        "resident_bytes": 5e7,
        "size_bytes": 1e3,
        "agreement": 0.0,
    }

    def measured(folder, digest):
        return {name: evidence.Measurement(name, value, value, value, 1, "1") for name, value in told.items()}

    monkeypatch.setattr(measure, "scorer", measured)
    monkeypatch.setattr(running, "_report", lambda found, kept, steps: None)
