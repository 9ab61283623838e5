import numpy as np
import pytest

from flyball import data, fab, features, feedback, labels
from flyball.fab import fleet, orders
from flyball.labels import acted
from flyball.units import days, hours

NO_ACT = 2**63 - 1
LOGS = data.Rows.of(["a"] * 8, [days(d) for d in range(8)], columns={"failed": [0.0] * 5 + [1.0, 0.0, 0.0]})
ASKED = features.Moments.of(["a"] * 4, [days(d) for d in (0, 1, 3, 4)])


def label(how="censored", found=float("nan"), at=4, seen=4, as_of=7):
    acts = data.Rows.of(["a"], [days(at)], [days(seen)], {"found": [found]}, ("at",))
    part = labels.FailsWithin(days(2), event="t.failed", acted=how)
    return part.label({"t": LOGS, "alerts": acts}, ASKED, as_of=days(as_of))


def test_what_was_acted_on_before_it_could_fail_is_censored():
    truth = label()
    # The failure on day 5 comes after the act on day 4: whoever asked on day 3 is not told, who asks on day 4 is.
    assert truth.why.texts() == [None, None, "acted", None] and truth.value[3] == 1.0
    assert truth.until[2] == days(4) and not truth.came[2]
    assert label("ignored").value[2] == 1.0


def test_what_was_found_may_stand_for_the_answer():
    assert label("found").why.texts()[2] == "acted"
    assert label("found", found=1.0).value[2] == 1.0 and label("found", found=0.0).value[2] == 0.0


def test_an_act_is_not_known_before_it_was_told():
    assert label(seen=6, as_of=5).value[2] == 1.0
    assert label(seen=6, as_of=7).why.texts()[2] == "acted"


def test_following_without_acts():
    when, found = acted.following({}, ASKED, None)
    assert (when == NO_ACT).all() and np.isnan(found).all()


def test_problems():
    class Page:
        data = data.Fleet("key", data.WallClock(), (data.Table("t", {"failed": "bool"}, time="at"),))

    odd = labels.FailsWithin(days(2), event="t.failed", acted="find")
    assert "did you mean 'found'" in str(*odd.problems(Page))


@pytest.fixture(scope="module")
def world():
    """A simulated fleet in which people act on seven of ten alerts of a good model, at random, and prevent failures.

    Returns what the tables show of that world, the alerts' answers, and whether each machine would have failed.
    """
    simulated, gap, within = fab.Fab("tiny", seed=3, machines=60, days=400, mess=False), days(1), days(7)
    told, names = orders.orders(simulated), np.array(fleet.plan(simulated).names)
    failed = told["failed"]
    key, at = names[told["machine"][failed]], fleet.to_us(told["at"][failed])
    grid = fleet.to_us(np.arange(20, 388) * 24.0)
    asked = features.Moments.of(np.repeat(names, len(grid)).tolist(), np.tile(grid, len(names)))
    score = fab.severity_oracle(simulated, asked.names(), asked.at)
    rng, silent, alerts = np.random.default_rng(0), {}, []
    for row in np.argsort(asked.at, kind="stable").tolist():
        machine, moment = asked.keys[asked.codes[row]], int(asked.at[row])
        if score[row] > 0.35 and silent.get(machine, 0) <= moment:
            silent[machine] = moment + int(gap + within)
            alerts.append((machine, moment, float(score[row]), rng.random() < 0.7))
    fails = {one: np.sort(at[key == one]) for one in names}

    def next_one(machine, since):
        later = fails[machine][fails[machine] > since]
        return int(later[0]) if len(later) else NO_ACT

    would = np.array([next_one(k, m + int(gap)) <= m + int(gap + within) for k, m, *_ in alerts], dtype=float)
    would[[next_one(k, m) <= m + int(gap) for k, m, *_ in alerts]] = np.nan  # too soon: nobody is asked
    acts = [(k, m + int(hours(12))) for k, m, _, yes in alerts if yes]
    prevented = {(k, next_one(k, m)) for k, m in acts if next_one(k, m) <= m + int(gap + within)}
    left = [(k, int(t)) not in prevented for k, t in zip(key, at, strict=True)]
    alive = np.repeat(names, 400), np.tile(fleet.to_us(np.arange(400) * 24.0), 60)
    tables = {
        "repairs": data.Rows.of(key[left].tolist(), at[left], columns={"failed": np.ones(sum(left))}),
        "telemetry": data.Rows.of(alive[0].tolist(), alive[1]),
        "alerts": data.Rows.of(
            [k for k, _ in acts], [t for _, t in acts], columns={"found": [np.nan] * len(acts)}
        ),
    }
    answers = data.Rows.of(
        [k for k, *_ in alerts], [m for _, m, *_ in alerts], columns={"answer": [s for *_, s, _ in alerts]}
    )
    return tables, answers, dict(zip([(k, m) for k, m, *_ in alerts], would, strict=True))


def precision(world, how):
    tables, answers, would = world
    part = labels.FailsWithin(days(7), event="repairs.failed", gap=days(1), alive="telemetry", acted=how)
    found = feedback.Outcomes().collect(answers, tables, part, int(tables["telemetry"].at.max()))
    known = [outcome for outcome in found if outcome.state == "known"]
    return (
        np.mean([outcome.truth for outcome in known]),
        np.nanmean(list(would.values())),
        len(known),
        len(found),
    )


def test_a_prevented_failure_is_no_false_alarm(world):
    wrong, true, known, every = precision(world, "ignored")
    right, _, left, _ = precision(world, "censored")
    assert every > 150 and known > left > 40
    # Ignored, the model's precision falls to little more than the share that was left alone; censored, it is right.
    spread = 1.96 * np.sqrt(true * (1 - true) / left)
    assert true > 0.5 and wrong < 0.55 * true, (wrong, right, true)
    assert abs(right - true) < spread, (wrong, right, true)
