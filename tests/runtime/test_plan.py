import dataclasses
import os
import subprocess
import sys

import pytest

from flyball.runtime import plan
from flyball.systems import load


class Shelf:
    """Keeps results by key in a folder."""

    def __init__(self, folder):
        self.folder = folder

    def step(self, key):
        place = self.folder / key
        return place if place.is_dir() else None

    def keep(self, key, write):
        part = self.folder / f"{key}.part"
        part.mkdir()
        write(part)
        return part.rename(self.folder / key)


def test_a_step_is_made_once_per_key(tmp_path):
    made = []

    def make(folder):
        made.append(folder)
        (folder / "x").write_text("1")

    for _ in range(2):
        steps = plan.Plan(Shelf(tmp_path))
        folder = steps.carry("labels", "k1", make)
        assert (folder / "x").read_text() == "1"
    assert len(made) == 1
    assert [(step.name, step.key, step.reused) for step in steps.steps] == [("labels", "k1", True)]
    steps.carry("labels", "k2", make)
    assert len(made) == 2


def test_a_step_that_fails_is_not_kept(tmp_path):
    def fails(folder):
        (folder / "half").write_text("")
        raise RuntimeError("killed")

    steps = plan.Plan(Shelf(tmp_path))
    with pytest.raises(RuntimeError):
        steps.carry("labels", "k", fails)
    assert Shelf(tmp_path).step("k") is None
    assert steps.steps == []


def test_a_key_holds_everything_that_decides():
    page = load("scanner")
    drift = dataclasses.replace(page.monitoring.drift, false_alarms=3.0)
    changed = dataclasses.replace(page, monitoring=dataclasses.replace(page.monitoring, drift=drift))
    values = [(page,), (changed,), (page, 1), (page, 1.0), (page, "1"), (page, None)]
    values += [(), ("",), ("", ""), ("a", "b"), ("ab",), (("a", "b"),)]
    keys = {plan.key(*some) for some in values}
    assert len(keys) == 12
    assert plan.key(page, 1) == plan.key(load("scanner"), 1)


def test_a_key_is_the_same_in_every_process():
    script = "from flyball.runtime import plan\nfrom flyball.systems import load\n"
    script += "print(plan.key(load('scanner'), 'a', 1))"
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == plan.key(load("scanner"), "a", 1)


def test_the_text_of_the_code_is_part_of_it():
    assert plan.code("labels") != plan.code("features")
    assert plan.code("labels") == plan.code("labels")
    assert len(plan.code("labels")) == 64


def test_versions_of_what_is_missing_are_empty():
    found = dict(plan.versions(("numpy", "no-such-library")))
    assert found["numpy"]
    assert found["no-such-library"] == ""


def test_seconds_that_went_in_before_are_told(tmp_path):
    class Keeper:
        def step(self, key):
            return None

        def keep(self, key, write):
            write(tmp_path)
            return tmp_path

    steps = plan.Plan(Keeper())
    steps.carry("features", "key", lambda folder: None, already=12.0)
    assert 12.0 <= steps.steps[0].seconds < 13.0
