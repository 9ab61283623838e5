"""What a machine answers from files is what the batch answers, whenever it is cut off."""

from pathlib import Path

import numpy as np
import pytest

from flyball import data, durable, errors, features, feedback, labels, part, serving
from flyball.site import scoring, terms
from flyball.site.host import Both
from flyball.site.process import RetryError
from flyball.site.spool import Spool
from flyball.systems.scanner.page import system
from flyball.units import DAY, hours

BEGIN, HOUR = 1_767_225_600_000_000, int(hours(1))
PAGE = part.replace(
    system,
    data=data.Fleet(
        "machine", data.WallClock(),
        (
            data.Table("telemetry", columns={"x": "kW"}),
            data.Table("repairs", columns={"part": "category", "failed": "bool"}),
        ),
        clean=(data.HoldGaps(at_most=hours(3)), data.Clip("telemetry.x", 0, 60)),
    ),
    features=features.AsOf(
        features.Every(hours(6)),
        (features.Rolling("telemetry.x", over=DAY, by=("mean", "max")), features.Since("repairs.part")),
    ),
    labels=labels.FailsWithin(DAY, event="repairs.failed", alive="telemetry"),
    serving=serving.Edge(serving.Budget(alerts=2, per=DAY, lockout=hours(12)), system.serving.rollout),
    feedback=feedback.Outcomes(),
)  # fmt: skip
ROUNDS = 16


class Power(BaseException):
    """The power went."""


class Stub:
    """Answers as a fixed function of the row does; `better` shadows."""

    release = "ab" * 32

    def __init__(self, shadow=True):
        self.shadow, self.down, self.held = shadow, False, terms.Terms(PAGE, 0.4)

    def digest(self):
        return self.release

    def page(self):
        return self.held.page

    def terms_of(self, digest):
        return self.held

    def ask(self, x):
        if self.down:
            raise RetryError("not now")
        answer = self.said(x)
        return Both(
            self.release, answer, "cd" * 32 if self.shadow else "", answer * 0.5 if self.shadow else None
        )

    @staticmethod
    def said(x):
        return np.clip(np.nan_to_num(x.columns["telemetry.x.mean.1d"], nan=7.0) / 60, 0, 1)


def table():
    """Rows of two machines for four days, hour by hour, some missing, some beyond the clip."""
    rng = np.random.default_rng(0)
    out = []
    for hour in range(ROUNDS * 6):
        for machine in ("s1", "s2"):
            value = "" if rng.random() < 0.2 else f"{rng.gamma(4, 8):.3f}"
            out.append((hour, machine, value))
    return out


def sent(folder, rows, until):
    """Write what had been sent by an hour: telemetry as one file that grows, repairs as a file a day."""
    lines = [f"{m},{BEGIN + h * HOUR},{v}" for h, m, v in rows if h < until]
    (folder / "telemetry.csv").write_text("machine,at,x\n" + "".join(f"{line}\n" for line in lines))
    for day in range(until // 24):
        failed = "true" if day % 2 else "false"
        at = BEGIN + day * int(DAY) + int(hours(5))
        line = f'{{"machine": "s1", "at": {at}, "part": "LASR", "failed": {failed}}}'
        (folder / f"repairs-{day}.jsonl").write_text(line + "\n")


class Site:
    """A machine over a folder: its clock is the test's, its power may go."""

    def __init__(self, folder, host=None):
        self.folder, self.host, self.now = folder, host or Stub(), BEGIN
        self.alarms = []
        (folder / "in").mkdir(parents=True, exist_ok=True)
        self.boot()

    def boot(self):
        self.spool = Spool(self.folder / "spool", epoch="e")
        self.scoring = scoring.Scoring(
            self.folder / "scoring", "p", self.host, self.spool, lambda: self.now, "s1", "nxe", self.folder / "in",
            tell=lambda kind, record: self.alarms.append(record["what"]), sketched=lambda: True,
        )  # fmt: skip

    def live(self, rows, until=ROUNDS, since=1):
        for turn in range(since, until + 1):
            self.now = BEGIN + turn * int(hours(6)) + 1
            sent(self.folder / "in", rows, turn * 6)
            for _ in range(200):
                try:
                    if not self.scoring.step():
                        break
                except Power:
                    self.scoring.close()
                    hook, durable.hook = durable.hook, None
                    self.boot()
                    durable.hook = hook

    def told(self):
        found = {kind: [] for kind in ("answers", "alerts", "outcomes", "exposures")}
        for batch in self.spool.batches():
            if batch.kind in found:
                found[batch.kind] += batch.records
        return found

    def met(self):
        """The sketches that were told, those of one machine and day merged, without when they were begun."""
        import base64

        from flyball.monitoring import sketches

        found = {}
        for batch in self.spool.batches():
            for one in batch.records if batch.kind == "sketches" else ():
                held = sketches.Sketch.from_bytes(base64.b64decode(one["sketch"]))
                assert (one["key"], one["since"], one["rows"]) == (held.unit, held.since, held.rows)
                found.setdefault((held.unit, held.since), []).append(held)
        return {key: sketches.merged(leaves, key[0]) for key, leaves in found.items()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    site = Site(tmp_path_factory.mktemp("whole"))
    site.live(table())
    return site


def test_answers_are_those_of_the_batch(whole):
    told = whole.told()["answers"]
    rows = [(h, m, v) for h, m, v in table()]
    seen = [BEGIN + (h // 6 + 1) * int(hours(6)) + 1 for h, _, _ in rows]
    batch = data.Rows.of(
        [m for _, m, _ in rows], [BEGIN + h * HOUR for h, _, _ in rows], seen,
        {"x": [float(v) if v else None for _, _, v in rows]},
    )  # fmt: skip
    for cleaner in PAGE.data.clean:
        batch = cleaner.clean("telemetry", batch)
    asked = features.Moments.of([one["key"] for one in told], [one["moment"] for one in told])
    x = PAGE.features.columns[0].compute({"telemetry": batch}, asked)
    wanted = dict(
        zip(zip(asked.names(), asked.at.tolist(), strict=True), x["telemetry.x.mean.1d"], strict=True)
    )
    assert len(told) == len(wanted) > 2 * (ROUNDS - 3)
    for one in told:
        mean = wanted[one["key"], one["moment"]]
        np.testing.assert_allclose(
            one["answer"], np.clip((7.0 if np.isnan(mean) else mean) / 60, 0, 1), rtol=1e-9
        )
        assert one["release"] == Stub.release and one["shadow_answer"] == one["answer"] * 0.5


def test_alerts_are_decided_by_the_frozen_threshold_and_the_budget(whole):
    told = whole.told()
    answers = {(one["key"], one["moment"]): one["answer"] for one in told["answers"]}
    moments = features.Moments.of([key for key, _ in answers], [at for _, at in answers])
    values = np.array([answers[key] for key in zip(moments.names(), moments.at.tolist(), strict=True)])
    wanted = PAGE.serving.decide.decide(values, moments, 0.4)
    assert [(one["key"], one["moment"], one["rank"]) for one in told["alerts"]] == [
        (alert.key, alert.moment, alert.rank) for alert in wanted
    ]
    assert told["alerts"]


def test_outcomes_are_those_of_the_pages_own_labels_and_the_shadow_is_judged_by_them(whole):
    told = whole.told()
    known = [one for one in told["outcomes"] if one["state"] == "known"]
    assert {one["truth"] for one in known} == {0.0, 1.0}
    assert {one["truth"] for one in known if one["key"] == "s2"} == {0.0}
    losses = [(one["answer"] / 2 - one["truth"]) ** 2 - (one["answer"] - one["truth"]) ** 2 for one in known]
    assert sum(one["outcomes"] for one in told["exposures"]) == len(known)
    np.testing.assert_allclose(sum(one["difference"] for one in told["exposures"]), sum(losses))
    assert {one["release"] for one in told["exposures"]} == {"cd" * 32}


@pytest.mark.parametrize("seed", range(4))
def test_a_machine_that_is_cut_off_at_any_step_answers_nothing_twice_and_loses_nothing(tmp_path, whole, seed):
    rng = np.random.default_rng(seed)
    cuts = 0

    def cut(operation, path):
        nonlocal cuts
        if rng.random() < 0.1:
            cuts += 1
            raise Power

    site = Site(tmp_path)
    durable.hook, durable.simulated = cut, True
    try:
        site.live(table())
    finally:
        durable.hook, durable.simulated = None, False
    site.scoring.step()
    assert site.told() == whole.told()
    assert site.met() == whole.met() and len(whole.met()) > 4
    assert cuts > 5


def test_a_sketch_of_another_version_in_the_note_keeps_nobody_from_answering(tmp_path):
    site = Site(tmp_path)
    site.live(table(), 2)
    site.scoring.state["met"] = {"ab" * 32: ["bm8gc2tldGNo"]}
    site.scoring.close()
    before = len(site.told()["answers"])
    site.live(table(), 8, since=3)
    assert len(site.told()["answers"]) > before
    assert any("met so far today is let go of" in what for what in site.alarms)


def test_while_nobody_answers_nothing_is_lost(tmp_path, whole):
    site = Site(tmp_path)
    rows = table()
    site.host.down = True
    site.live(rows, 1)
    assert site.told()["answers"] == []
    site.host.down = False
    site.live(rows, since=2)
    assert {(one["key"], one["moment"]) for one in site.told()["answers"]} == {
        (one["key"], one["moment"]) for one in whole.told()["answers"]
    }


def test_a_baseline_answers_and_alerts_nobody(tmp_path):
    site = Site(tmp_path)
    site.live(table(), 4)
    before = site.told()
    site.host.held = terms.Terms()
    for turn in (5, 6):
        site.now = BEGIN + turn * int(hours(6)) + 1
        sent(tmp_path / "in", table(), turn * 6)
        site.scoring.step()
    after = site.told()
    assert len(after["answers"]) > len(before["answers"]) and len(after["alerts"]) == len(before["alerts"])
    assert any("alert nobody" in what for what in site.alarms)


def test_another_release_goes_on_with_the_rows_that_are_held(tmp_path):
    site = Site(tmp_path)
    site.live(table(), 4)
    columns = (*PAGE.features.columns, features.Last("telemetry.x"))
    wider = part.replace(PAGE, features=part.replace(PAGE.features, columns=columns))
    site.host.held = terms.Terms(wider, 0.4)
    site.live(table(), 6, since=5)
    reference = Site(tmp_path / "other")
    reference.live(table(), 6)
    assert site.told()["answers"] == reference.told()["answers"]


def test_lines_that_are_no_rows_are_told_and_a_damaged_note_is_an_error(tmp_path):
    site = Site(tmp_path)
    (tmp_path / "in" / "telemetry-2.csv").write_text("machine,at,x\ns1,yesterday,1\n")
    site.now += int(DAY)
    site.scoring.step()
    assert any("line 2 set aside: 'at' is no time" in what for what in site.alarms)
    note = tmp_path / "scoring" / "p.json"
    note.write_bytes(note.read_bytes()[:-3])
    with pytest.raises(errors.StoreError, match="damaged"):
        site.boot()


def test_a_note_that_cannot_be_written_answers_nothing_until_it_can(tmp_path, monkeypatch):
    site, write = Site(tmp_path), durable.write
    site.live(table(), 4)
    before = site.told()

    def full(path, content, *rest):
        if path.name == "p.json":
            raise errors.StoreError("no space left")
        return write(path, content, *rest)

    monkeypatch.setattr(durable, "write", full)
    site.live(table(), 8, since=5)
    # Neither told without a note that says so, nor forgotten: a machine that is killed now tells nothing twice.
    assert site.told() == before and "no space left" in site.scoring.problem
    monkeypatch.setattr(durable, "write", write)
    site.boot()
    site.live(table(), 9, since=9)
    told = [(one["key"], one["moment"]) for one in site.told()["answers"]]
    assert len(told) == len(set(told)) > len(before["answers"])


def test_losses_are_paired_within_their_bounds():
    assert scoring.paired(labels.Quantity("h"), 5.0, 3.0, 2.0) == -1.0
    assert scoring.paired(labels.Classes(("a", "b")), 1.0, 0.0, 1.0) == 1.0
    assert scoring.paired(labels.Probability(), 0.5, float("nan"), 1.0) is None


def test_sketches_of_a_day_are_told_where_the_site_lets_them(tmp_path):
    import base64

    from flyball.monitoring.sketches import Sketch

    site = Site(tmp_path)
    site.scoring._sketched = lambda: False
    site.live(table(), 10)
    assert site.met() == {}
    site = Site(tmp_path / "lets")
    site.live(table(), 10)
    found = [record for batch in site.spool.batches() if batch.kind == "sketches" for record in batch.records]
    answers = site.told()["answers"]
    assert {one["key"] for one in found} == {"s1", "s2"}
    for one in found:
        held = Sketch.from_bytes(base64.b64decode(one["sketch"]))
        asked = [a for a in answers if a["key"] == one["key"] and one["since"] <= a["moment"] < one["until"]]
        assert held.rows == len(asked) == one["rows"] and {"answer", "telemetry.x.mean.1d"} <= set(
            held.columns
        )


def test_it_needs_the_core_install_alone(tmp_path):
    import subprocess
    import sys

    code = (
        "import sys\n"
        "for name in ('polars', 'deltalake', 'torch', 'lightgbm', 'pandas', 'fastapi', 'uvicorn', 'pyarrow'):\n"
        "    sys.modules[name] = None\n"
        f"sys.path.insert(0, {str(Path(__file__).parents[2])!r})\n"
        "from pathlib import Path\n"
        "from tests.site import test_scoring as here\n"
        f"site = here.Site(Path({str(tmp_path)!r}))\n"
        "site.live(here.table(), 4)\n"
        "print(len(site.told()['answers']))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 4
