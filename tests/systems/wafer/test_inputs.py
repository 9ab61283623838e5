"""The input of the wafer page: the same bytes every time, and every map as it was."""

import hashlib

import numpy as np
import pytest

from flyball import data, errors
from flyball.runtime import store
from flyball.systems.wafer import inputs, page


def test_without_the_data_it_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.delenv("FLYBALL_DATA", raising=False)
    with pytest.raises(errors.DataError, match="FLYBALL_DATA"):
        inputs.prepare(tmp_path)


@pytest.fixture(scope="module")
def prepared(data_folder, tmp_path_factory):
    """Each hundredth wafer, as files."""
    folder = tmp_path_factory.mktemp("wafer") / "in"
    inputs.prepare(folder, every=100)
    return folder


def test_the_same_bytes_on_every_call(prepared, tmp_path):
    inputs.prepare(tmp_path, every=100)
    assert digests(tmp_path) == digests(prepared) and digests(prepared)


def digests(folder):
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(folder.iterdir())}


def test_every_map_label_and_split_survives_the_store(prepared, tmp_path):
    kept = store.Store.open(tmp_path, page.system.data)
    receipt = kept.ingest([prepared])
    maps, splits, labels = (column[::100] for column in inputs.maps())
    assert receipt.good == {"maps": len(maps)} and not any(receipt.quarantined.values())
    rows = kept.rows("maps")
    assert rows.keys == tuple(f"w{100 * place:05d}" for place in range(len(maps)))
    assert rows.words("split").texts() == splits and rows.words("label").texts() == labels
    for came, sent in zip(rows.columns["map"].load(), maps, strict=True):
        assert came.dtype == sent.dtype and np.array_equal(came, sent)


@pytest.mark.slow
def test_twins_of_the_whole_data_are_counted_as_known(data_folder):
    rows = whole()
    twins = page.system.data.clean[0]
    assert [(found.figure, found.why.split(",")[0]) for found in twins.found("maps", rows)] == [
        (16, "val rows with a twin in test"),
        (48, "train rows with a twin in test"),
        (54, "train rows with a twin in val"),  # 53 maps: one of them stands twice in train
        (12, "groups of one image with different labels"),
    ]
    left = twins.clean("maps", rows).words("split").texts()
    assert {split: left.count(split) for split in set(left)} == {
        "train": 37_234,
        "val": 12_429,
        "test": 12_450,
    }


def whole():
    """All rows with their digests alone."""
    from flyball.data import frames, images

    maps, splits, labels = inputs.maps()
    late = frames.Frames(frames.Shards(None, {}), [images.digest(one) for one in maps])
    keys = [f"w{place:05d}" for place in range(len(maps))]
    columns = {"split": data.Words.of(splits), "label": data.Words.of(labels), "map": late}
    return data.Rows.of(keys, at=np.zeros(len(maps), np.int64), columns=columns)
