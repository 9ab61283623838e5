import importlib.util
import pathlib

import numpy as np
import pytest

from flyball import monitoring, units
from flyball.monitoring import own

spec = importlib.util.spec_from_file_location("fleets", pathlib.Path(__file__).with_name("fleets.py"))
fleets = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fleets)

DRIFT = monitoring.Drift(over=units.WEEK, false_alarms=0.2, per=units.days(364), settle=3)
WEEKS = 26


def machines_alarmed(values, resets=None, columns=False):
    cut = WEEKS * 7
    kept = DRIFT.reference(fleets.matrix(values[:, :cut]), None, 0, resets)
    found = DRIFT.watch(kept, fleets.matrix(values[:, cut:], first=cut), None, resets)
    return {(one.machine, one.column, one.kind, one.cause) for one in found if one.alarm and one.machine}


def test_one_machine_that_moved_is_named_with_its_column_and_cause():
    values = fleets.walk(12, (WEEKS + 4) * 7, 4, seed=3, rho=0.3)
    values[5, (WEEKS + 1) * 7 :, 2] += 9
    assert {one[:2] for one in machines_alarmed(values)} == {("m005", "c2")}
    assert {one[3] for one in machines_alarmed(values)} == {"sensor"}


def test_a_move_at_logged_maintenance_is_none_and_without_the_log_it_is_one():
    values = fleets.walk(12, (WEEKS + 8) * 7, 3, seed=4, rho=0.3)
    values[7, (WEEKS + 2) * 7 + 3 :, 1] += 5
    logged = {"m007": (((WEEKS + 2) * 7 + 2) * fleets.DAY,)}
    assert "m007" in {one[0] for one in machines_alarmed(values)}
    assert "m007" not in {one[0] for one in machines_alarmed(values, logged)}


def test_what_no_machine_ever_looked_like_is_told_while_a_baseline_settles():
    values = fleets.walk(12, (WEEKS + 3) * 7, 3, seed=5, rho=0.3)
    values[7, (WEEKS + 1) * 7 :, 1] += 500
    logged = {"m007": (((WEEKS + 1) * 7 - 1) * fleets.DAY,)}
    assert ("m007", "c1") in {one[:2] for one in machines_alarmed(values, logged)}


def test_limit_and_chance_are_each_others_inverse():
    worst = np.random.default_rng(0).exponential(1.0, 5000)
    kept = {"tail": own.tail(worst), "cells": 10**12}
    for share in (0.3, 0.05, 0.001, 1e-6):
        assert own.chance(kept, own.limit(kept, share)) == pytest.approx(share, rel=0.05)
    assert own.limit({}, 0.1) == float("inf")


def test_fewer_windows_give_a_wider_limit():
    told = own.tail(np.random.default_rng(0).exponential(1.0, 5000))
    assert own.limit({"tail": told, "cells": 50}, 0.01) > own.limit({"tail": told, "cells": 50_000}, 0.01)
