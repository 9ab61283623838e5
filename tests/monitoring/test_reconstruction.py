import importlib.util
import json
import pathlib

import numpy as np

from flyball import monitoring, part, units
from flyball.monitoring import bins, causes, episodes

spec = importlib.util.spec_from_file_location("fleets", pathlib.Path(__file__).with_name("fleets.py"))
fleets = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fleets)

PLAIN = monitoring.Drift(over=units.days(14), false_alarms=1.0, per=units.days(364))
DRIFT = part.replace(PLAIN, multivariate=(monitoring.Reconstruction(),))
DAYS = 14


def coupled(machines, windows, seed, columns=9):
    """Columns in groups of three that go together, all of them with a level of each machine's own."""
    rng = np.random.default_rng(seed)
    days = windows * DAYS
    shared = rng.normal(size=(machines, days, columns // 3)).repeat(3, axis=2)
    level = rng.normal(0, 2, size=(machines, 1, columns))
    return level + 0.85 * shared + 0.5 * rng.normal(size=(machines, days, columns))


def watched(values, windows, drift):
    at = windows * DAYS
    old, new = fleets.matrix(values[:, :at]), fleets.matrix(values[:, at:], first=at)
    kept = drift.reference(old, None, 0)
    json.dumps(kept.settings)
    return drift.watch(kept, new, None)


def foreign(values, machine, since, column):
    """Show on a channel what another machine's does, with the level of its own: nothing of it alone is odd."""
    later = values[machine, since:, column]
    other = values[(machine + 1) % len(values), since:, column]
    values[machine, since:, column] = other - other.mean() + later.mean()


def test_a_channel_that_no_longer_follows_the_others_is_found_by_its_relation_alone():
    values = coupled(12, 34, seed=0)
    foreign(values, 3, 28 * DAYS, 4)
    assert not [one for one in watched(values, 26, PLAIN) if one.alarm and one.machine == "m003"]
    found = [one for one in watched(values, 26, DRIFT) if one.alarm]
    mine = [one for one in found if one.machine == "m003"]
    assert {one.column for one in mine} >= {"c4: relation"}
    assert all(one.column.endswith(bins.RELATION) and one.kind == causes.RELATION for one in mine)
    (alarm,) = [one for one in episodes.alarms(found, 12) if one.machines == ("m003",)]
    assert alarm.columns[0] == "c4: relation" and alarm.cause == "sensor" and alarm.kind == "relation"
    assert alarm.since / int(units.DAY) > 26 * DAYS
    assert mine[0].series["figure"] == "relation" and mine[0].shown["relation"] > mine[0].limit


def test_a_coupling_that_changes_on_all_machines_is_one_alarm_of_the_fleet():
    values = coupled(12, 34, seed=1)
    later = values[:, 28 * DAYS :]
    later[:, :, 4] = later[:, :, 4].mean(axis=1, keepdims=True) + np.random.default_rng(5).normal(
        size=later.shape[:2]
    ) * later[:, :, 4].std(axis=1, keepdims=True)
    found = watched(values, 26, DRIFT)
    raised = [one for one in episodes.alarms(found, 12) if len(one.machines) > 3]
    assert len(raised) == 1 and raised[0].cause == "data" and "c4: relation" in raised[0].columns


def test_quiet_windows_keep_the_budget_with_relations_watched_too():
    episodes_, years = 0, 0.0
    for seed in range(4):
        found = watched(coupled(12, 52, seed=seed + 10), 26, DRIFT)
        episodes_ += len(episodes.alarms(found, 12))
        years += 12 * 26 / 26
    assert 0.1 * years < episodes_ < 1.4 * years, (episodes_, years)


def test_the_components_are_those_of_the_correlation():
    x = fleets.matrix(coupled(6, 20, seed=2)[..., :6])
    rows = fleets.standard(x)
    kept = monitoring.Reconstruction().learn(rows, 0)
    blocks = list(rows.blocks())
    total = np.mean([b.astype(float).T @ b for _, _, b in blocks], axis=0)
    vectors = np.linalg.eigh(total)[1][:, ::-1][:, :2]
    mine = np.array(kept["components"])
    assert len(mine) == 2  # one of each group explains more than a column alone
    np.testing.assert_allclose(mine.T @ mine, vectors @ vectors.T, atol=1e-4)
    figures = monitoring.Reconstruction().figures(kept, rows)
    (cells, begin, block), *_ = blocks
    rest = block[: begin[1]].astype(float) @ (np.eye(6) - mine.T @ mine)
    np.testing.assert_allclose(figures[cells[0]], np.log((rest**2).mean(axis=0) + 1e-3), atol=1e-4)


def test_a_column_that_stands_still_has_no_relation():
    values = coupled(6, 20, seed=2)
    values[0, :DAYS, 1] = 4.0
    values[1, :DAYS, 2] = np.nan
    rows = fleets.standard(fleets.matrix(values))
    figures = monitoring.Reconstruction().figures(monitoring.Reconstruction().learn(rows, 0), rows)
    there = np.isfinite(figures)
    assert (~there).sum() == 2 and not there[:, [1, 2]].all()


def test_one_column_has_no_relation():
    values = np.random.default_rng(0).normal(size=(6, 20 * DAYS, 1))
    kept = monitoring.Reconstruction().learn(fleets.standard(fleets.matrix(values)), 0)
    assert kept == {}


def test_a_release_without_relations_is_watched_as_it_was_learned():
    values = coupled(6, 30, seed=3)
    at = 26 * DAYS
    old, new = fleets.matrix(values[:, :at]), fleets.matrix(values[:, at:], first=at)
    kept = PLAIN.reference(old, None, 0)
    assert DRIFT.watch(kept, new, None) == PLAIN.watch(kept, new, None)


def test_a_number_of_components_that_is_none_is_refused():
    (problem,) = monitoring.Reconstruction(components=0).problems(None)
    assert problem.place == "components"
