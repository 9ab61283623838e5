import numpy as np
import pytest

from flyball import data, monitoring, units
from flyball.features import stage as features
from flyball.monitoring import performance

DAY = int(units.DAY)
WATCH = monitoring.Performance(false_alarms=2.6, per=units.days(364))  # a twentieth of the windows


def lost(days, seed, machines=30, worse=(), since=0, by=0.0, first=0):
    """Losses of a fleet on five sites, every machine with a level of its own; some sites lose more from a day on."""
    rng = np.random.default_rng(seed)
    level = np.random.default_rng(9).normal(0.5, 0.1, machines)
    codes, day = (
        axis.reshape(-1) for axis in np.meshgrid(np.arange(machines), np.arange(days), indexing="ij")
    )
    site = codes % 5
    value = level[codes] + rng.normal(0, 0.2, len(codes))
    value += by * np.isin(site, worse) * (day >= since)
    moments = features.Moments(
        tuple(f"m{i:02d}" for i in range(machines)), codes.astype(np.int32), (day + first) * DAY
    )
    return performance.Lost(moments, value, {"site": data.Words(site.astype(np.int32), tuple("ABCDE"))})


def judged(now, seed=0):
    windows = now.moments.at // int(units.WEEK)
    return performance.judge(WATCH, lost(60, seed), now, DAY, windows)


def test_windows_in_which_nothing_happened_alarm_at_about_the_stated_share():
    alarmed = [
        len({one.until for one in judged(lost(140, 100 + seed), seed) if one.alarm}) for seed in range(8)
    ]
    assert WATCH.share() == pytest.approx(0.05)
    assert sum(alarmed) / (8 * 20) <= 0.1, alarmed


def test_the_site_that_got_worse_is_named_with_how_much_and_since_when():
    now = lost(70, 3, worse=(2,), since=40, by=0.15)
    found = judged(now)
    late = [one for one in found if one.since >= 42 * DAY]
    assert {one.name for one in late if one.alarm} <= {"site=C", "all"}
    assert sum(one.alarm for one in late if one.name == "site=C") >= 3
    assert not any(one.alarm for one in found if one.until < 40 * DAY)
    worst = next(one for one in late if one.alarm and one.name == "site=C")
    told = worst.rise.measured("loss")
    assert told.low <= 0.15 <= told.high and told.low > 0
    mine = now.take(now.named()["site=C"])
    assert abs(performance.began(mine, worst.before.value, worst.now.value) - 40 * DAY) <= 3 * DAY


def test_a_slice_that_the_reference_does_not_hold_or_of_one_machine_is_no_alarm():
    now = lost(7, 1, machines=5, by=0.5, worse=(0, 1, 2, 3, 4))
    new = performance.Lost(
        now.moments, now.value, {"site": data.Words(now.slices["site"].codes, tuple("VWXYZ"))}
    )
    found = performance.judge(WATCH, lost(60, 0), new, 30 * DAY, np.zeros(len(now.value), dtype=int))
    assert {one.name: one.p for one in found if one.name != "all"} == {
        f"site={name}": 1.0 for name in "VWXYZ"
    }


def test_rare_failures_that_did_not_happen_yet_make_no_slice_sure():
    def week(seed, n=4000):
        rng = np.random.default_rng(seed)
        codes = np.arange(n, dtype=np.int32) % 400
        said = 0.001 * (1 + codes % 20 / 20 * seed)  # a little more is said, and of 200 drives none fails
        came = (rng.random(n) < 0.01) & (codes >= 200)
        moments = features.Moments(tuple(f"m{i:03d}" for i in range(400)), codes, np.arange(n) // 400)
        value, order = (said - came) ** 2, np.lexsort((np.arange(n), codes))
        kind = data.Words((codes >= 200).astype(np.int32), ("sound", "old"))
        return performance.Lost(moments, value, {"kind": kind}).take(order)

    found = performance.judge(WATCH, week(1), week(2), 1, np.zeros(4000, dtype=int))
    sound = next(one for one in found if one.name == "kind=sound")
    assert sound.now.value > sound.before.value and not sound.alarm


def test_holm_is_never_below_the_raw_value_and_keeps_the_order():
    rng = np.random.default_rng(0)
    raw = rng.random(20).tolist()
    held = performance.holm(raw)
    assert all(p >= q for p, q in zip(held, raw, strict=True)) and max(held) <= 1
    assert np.argsort(held, kind="stable").tolist()[0] == int(np.argmin(raw))
    assert performance.holm([]) == []


def test_began_says_nothing_when_it_was_so_from_the_first_moment_on():
    always = lost(20, 0)
    assert performance.began(always, -1.0, 0.5) is None
    assert performance.began(always.take(np.arange(0)), 0.0, 1.0) is None


class Page:
    class features:
        names = staticmethod(lambda: ("site",))


@pytest.mark.parametrize(
    ("watch", "said"),
    [
        (monitoring.Performance(by=("site", "machine")), []),
        (monitoring.Performance(by=("sit",)), ["no column 'sit' among the features, did you mean 'site'?"]),
        (monitoring.Performance(false_alarms=60), ["false_alarms"]),
        (monitoring.Performance(over=units.days(0)), ["false_alarms"]),
    ],
)
def test_problems(watch, said):
    found = [str(problem) for problem in watch.problems(Page)]
    assert len(found) == len(said)
    assert all(part in problem for part, problem in zip(said, found, strict=True))
