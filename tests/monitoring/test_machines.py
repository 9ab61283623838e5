import importlib.util
import pathlib

import numpy as np

from flyball import monitoring, units
from flyball.monitoring import causes, machines

spec = importlib.util.spec_from_file_location("fleets", pathlib.Path(__file__).with_name("fleets.py"))
fleets = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fleets)

DRIFT = monitoring.Drift(over=units.WEEK, false_alarms=0.26, per=units.days(364))
AT = 26 * 7


def told(values):
    old, new = fleets.matrix(values[:, :AT]), fleets.matrix(values[:, AT:], first=AT)
    found = DRIFT.watch(DRIFT.reference(old, None, 0), new, None)
    return [one for one in found if one.alarm and one.machine]


def test_a_row_says_of_whom_since_when_of_what_kind_and_how_sure():
    values = 50.0 + fleets.walk(12, AT + 28, 4, seed=21)
    values[3, AT + 14 :, 2] *= 1000.0
    found = told(values)
    assert {(one.machine, one.column, one.kind, one.cause) for one in found} == {
        ("m003", "c2", "unit", "sensor")
    }
    first = found[0]
    assert first.machines == ("m003",) and first.statistic > first.limit and first.sure < 0.01
    assert abs(first.began - (AT + 14) * int(units.DAY)) <= units.days(1)
    assert first.series["low"] < first.series["high"] and len(first.series["at"]) == len(
        first.series["value"]
    )


def test_two_channels_that_show_each_other_are_told_as_a_swap_of_the_two():
    values = fleets.walk(12, AT + 28, 4, seed=22) + np.array([0.0, 60.0, 200.0, 400.0])
    values[5, AT + 7 :, [0, 1]] = values[5, AT + 7 :, [1, 0]]
    kinds = {(one.column, one.kind) for one in told(values) if one.machine == "m005"}
    assert ("c0", "swap with c1") in kinds and ("c1", "swap with c0") in kinds


def test_only_parts_that_learned_something_tell_figures():
    part, other = monitoring.Reconstruction(), monitoring.MeanDiscrepancy(sample=40)
    rows = fleets.standard(fleets.matrix(fleets.bent(4, 84, seed=1)))
    kept = {repr(part): {}, repr(other): other.learn(rows, 0)}
    (found,) = machines.figures((part, other), kept, rows)
    assert found.shape == (len(rows.cells.unit), 1)
    assert machines.figures((part, other), {}, rows) == []


def test_no_more_columns_of_a_window_are_told_than_a_person_reads():
    values = fleets.walk(12, AT + 14, 20, seed=23)
    values[2, AT + 7 :] += 17.0  # of no other unit
    newest = [one for one in told(values) if one.until == (AT + 13) * int(units.DAY)]
    assert len(newest) == machines.TOLD
    # Of twenty columns that move at once some land where another one lay; the rest are no broken sensors.
    assert {one.cause for one in newest if not one.kind.startswith("swap")} == {causes.DATA}
