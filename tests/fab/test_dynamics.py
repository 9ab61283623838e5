"""The law by which a fleet lives: its figures, its reproducibility, and that any moment can be read back."""

import numpy as np

from flyball import fab
from flyball.fab import dynamics, fleet, service, truth, wear

FLEET = fab.Fab("tiny", seed=2, machines=60, days=365)


def test_the_fleet_is_up_and_fails_as_often_as_it_is_meant_to():
    years = 60.0
    assert 0.92 < truth.states(FLEET, every_h=6.0)["up"].mean() < 0.96
    part = truth.failures(FLEET)["part"]
    meant = {
        "DGEN": 2.6,
        "HNDL": 2.5,
        "WSTG": 1.0,
        "SOFT": 12.7,
    }  # per machine-year
    for name, rate in meant.items():
        assert 0.7 * rate < (part == name).sum() / years < 1.35 * rate, name
    assert 5.4 < truth.failures(FLEET)["hard"].sum() / years < 8.2


def test_another_seed_is_another_fleet():
    one, two = (truth.failures(fab.Fab("tiny", seed=seed))["at"] for seed in (0, 1))
    assert len(one) != len(two) or (one != two).any()


def test_reading_back_meets_the_snapshots_and_runs_on_between_them():
    past, rng = dynamics.history(FLEET), np.random.default_rng(0)
    machine, hour = rng.integers(0, 60, 500), rng.uniform(0.0, 24.0 * 365, 500)
    state, later = past.at(machine, hour), past.at(machine, hour + 1e-3)
    quiet = (state.stage == later.stage).all(axis=1) & (state.down == 0) & (later.down == 0)
    assert quiet.mean() > 0.9
    step = (later.age - state.age)[quiet]
    duty = past.plan.duty[machine, state.week][quiet]
    np.testing.assert_allclose(step, wear.rates(past.plan, machine[quiet], duty) * 1e-3, rtol=1e-4)
    assert (state.level <= 1.0 + 1e-9).all() and (state.level >= 0.0).all()


def test_severity_reaches_one_just_before_a_failure():
    past = dynamics.history(FLEET)
    failed = past.journal.read("failure")
    state = past.at(failed["row"], failed["at"] - 1e-7)
    severity = state.severity()[np.arange(len(failed["row"])), failed["comp"]]
    np.testing.assert_allclose(severity, 1.0, atol=1e-3)
    assert (past.at(failed["row"], failed["at"] + 1e-7).down > 0).all()


def test_living_on_from_a_state_in_two_stretches_gives_the_same_number_of_failures():
    plan = fleet.plan(fab.Fab("tiny"))
    rates = []
    for cuts in ((400.0,), (100.0, 250.0, 400.0)):
        rng, count = np.random.default_rng(5), 0
        state = wear.begin(plan, rng, -fleet.BURN).take(np.repeat(np.arange(6), 400))
        for cut in cuts:
            journal = service.Journal(keep=("failure",))
            snapshots: list = []
            dynamics.advance(state, plan, np.full(2400, cut - fleet.BURN), rng, journal, snapshots)
            count += len(journal.read("failure")["at"])
            rows = np.concatenate([r for r, _ in snapshots])
            last = {row: i for i, row in enumerate(rows)}
            fields = {f: np.concatenate([getattr(s, f) for _, s in snapshots]) for f in vars(snapshots[0][1])}
            picked = np.array([last[row] for row in range(2400)])
            state = wear.State(**{f: column[picked] for f, column in fields.items()})
        rates.append(count / 2400)
    assert abs(rates[0] - rates[1]) < 5.0 * np.sqrt(sum(rates) / 2400)
