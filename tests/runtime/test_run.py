import json
import shutil
import threading

import numpy as np
import pytest

from flyball import cli, data, durable, errors, features, model, part, units
from flyball.runtime import build, run, runs
from flyball.runtime.store import Store

CUT = 1_770_249_600_000_000  # 2026-02-05
COLUMNS = (
    features.Last("telemetry.vibration", at_most=units.days(2)),
    features.Rolling("telemetry.vibration", over=units.days(3), by="mean"),
)


@pytest.fixture
def page(daily):
    return part.replace(daily.page, features=part.replace(daily.page.features, columns=COLUMNS))


@pytest.fixture
def inbox(daily, tmp_path):
    """A folder into which `inbox(until)` puts the days up to one."""

    def send(until):
        for day in list(daily.files)[:until]:
            for file in daily.files[day]:
                (folder / f"{file.parent.name}-{file.name}").write_bytes(file.read_bytes())
        return folder

    folder = tmp_path / "inbox"
    folder.mkdir()
    return send


def steps(found):
    return {step.name: step.reused for step in found.steps}


def made(found):
    return sorted(name for name, reused in steps(found).items() if not reused)


def test_a_second_run_reuses_every_step(pumps, monkeypatch, tmp_path):
    for hard in (
        "flyball.runtime.contest.hold",
        "flyball.runtime.package.ship",
        "flyball.features.AsOf.compute",
    ):
        monkeypatch.setattr(hard, lambda *args, **named: pytest.fail("computed again"))
    kept = shutil.copytree(pumps.store, tmp_path / "store")  # others look at that store
    again = run.run(pumps.result.page, run.Bound(kept, pumps.files))
    assert made(again) == [] and [s.name for s in again.steps] == [s.name for s in pumps.result.steps]
    told, first = again.json(), pumps.result.json()
    for name in ("contest", "verdicts", "release", "watch", "differences", "threshold", "outcomes"):
        assert told[name] == first[name]
    ingest = [step for step in pumps.result.steps if step.name == "ingest"]
    assert [step.key for step in again.steps if step.name == "ingest"] == [step.key for step in ingest]


def test_a_new_day_recomputes_what_it_touches_and_the_training(page, inbox, quick, tmp_path):
    bound = run.Bound(tmp_path / "store", inbox(40))
    before = run.run(page, bound)
    inbox(41)
    after = run.run(page, bound)
    assert set(steps(after)) - set(steps(before)) == {"features/2026-02-10"}
    assert made(after) == sorted(
        [
            "ingest",
            "features/2026-02-10",
            "labels",
            "expect",
            "leaks",
            "split",
            "contest",
            "reference",
            "ship",
            "answer",
            "watch",
        ]
    )
    fresh = run.run(page, run.Bound(tmp_path / "fresh", inbox(41)))
    assert after.release == fresh.release and after.held.measured == fresh.held.measured
    assert build.content(after.x, after.y) == build.content(fresh.x, fresh.y)


def test_as_of_an_old_date_a_run_comes_to_the_same_after_later_and_corrected_files(
    page, inbox, quick, tmp_path
):
    bound = run.Bound(tmp_path / "store", inbox(40), as_of=CUT)
    before = run.run(page, bound)
    assert int(before.x.moments.at.max()) <= CUT
    corrected = inbox(60) / "telemetry-corrected.csv"
    corrected.write_text(
        "machine,time,seen,vibration,current\n"
        "m00,2026-01-10T06:00:00,2026-03-01T00:00:00,99,99\nm99,2026-01-10T06:00:00,2026-03-01T00:00:00,9,9\n"
    )
    after = run.run(page, bound)
    assert after.receipt["files"] > 20
    assert build.content(after.x, after.y) == build.content(before.x, before.y)
    assert {name: steps(after)[name] for name in ("contest", "reference", "ship")} == dict.fromkeys(
        ("contest", "reference", "ship"), True
    )
    assert (after.release, after.json()["contest"]) == (before.release, before.json()["contest"])
    now = run.run(page, run.Bound(tmp_path / "store"))
    assert now.release != before.release and len(now.y) > len(before.y)


def test_a_run_is_told_as_one_json_object(pumps):
    told = json.loads(json.dumps(pumps.result.json()))
    assert set(told) >= {"system", "fingerprint", "steps", "contest", "verdicts", "release", "watch"}
    assert (told["system"], told["fingerprint"]) == ("pumps", pumps.result.page.fingerprint())
    assert all(set(step) >= {"name", "key", "seconds", "reused"} for step in told["steps"])
    assert all(isinstance(step["reused"], bool) and step["seconds"] >= 0 for step in told["steps"])
    assert {"baseline", "challenger", "ceiling"} <= set(told["contest"]) and told["contest"][
        "ceiling"
    ] is None
    for who in ("baseline", "challenger"):
        value, low, high = told["contest"][who]["average_precision"]
        assert low <= value <= high
    assert all(set(verdict) >= {"gate", "figure", "limit", "passed"} for verdict in told["verdicts"])
    assert len(told["release"]) == 64
    (record,) = [
        r for r in runs.listed(Store.open(pumps.store, pumps.result.page.data)) if r["state"] == "done"
    ][:1]
    assert record["result"]["release"] == told["release"]


def test_a_failed_gate_releases_nothing_and_says_why(page, inbox, quick, tmp_path):
    gates = (model.Beats("average_precision", by=0.9),)
    strict = part.replace(page, model=part.replace(page.model, gates=gates))
    found = run.run(strict, run.Bound(tmp_path / "store", inbox(40)))
    told = found.json()
    (verdict,) = told["verdicts"]
    assert told["release"] is None and not verdict["passed"] and verdict["limit"] == 0.9
    assert verdict["figure"] == found.held.measured["difference.average_precision"].low
    assert not list((tmp_path / "store" / "releases").glob("[0-9a-f]*"))
    assert len(Store.open(tmp_path / "store", strict.data).answers()) == 0


def test_expectations_that_do_not_hold_are_told(page, inbox, quick, tmp_path):
    expect = (data.Missing("telemetry.current", at_most=0.1),)
    strict = part.replace(page, data=part.replace(page.data, expect=expect))
    folder = inbox(40)
    for file in folder.glob("telemetry-*.csv"):
        head, *lines = file.read_text().splitlines()
        file.write_text("\n".join([head, *(line.rsplit(",", 1)[0] + "," for line in lines)]) + "\n")
    told = run.run(strict, run.Bound(tmp_path / "store", folder)).json()
    (finding,) = told["data"]["expectations"]
    assert "telemetry.current" in json.dumps(finding)


def test_what_the_newest_questions_are_answered_is_what_the_release_says(page, inbox, quick, tmp_path):
    found = run.run(page, run.Bound(tmp_path / "store", inbox(40)))
    rows = Store.open(tmp_path / "store", page.data).answers()
    assert {*rows.at.tolist()} == {int(found.x.moments.at.max())} and len(rows) == len(
        {*rows.segments().tolist()}
    )
    newest = found.x.take(np.flatnonzero(found.x.moments.at == found.x.moments.at.max()))
    held = run.unpack.unpack(
        run.release.read_packed(tmp_path / "store" / "releases" / found.release / "model")
    )
    assert rows.columns["answer"].tolist() == held.predict(newest).tolist()


# A wrong world, from the page to the exit code.


def command(capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        cli.main([str(argument) for argument in arguments])
    return end.value.code, *capsys.readouterr()


def test_a_wrong_page_ends_before_anything_is_written(daily, tmp_path, capsys):
    wrong = tmp_path / "wrong.py"
    text = daily.text.replace('Last("telemetry.current")', 'Last("telemetry.curent")').replace(
        "over=days(3)", "over=3"
    )
    wrong.write_text(text.replace('event="repairs.failed"', 'event="repairs.broke"'))
    code, _, err = command(capsys, "run", wrong, "--from", tmp_path, "--store", tmp_path / "store")
    assert code == 2 and "Traceback" not in err and not (tmp_path / "store").exists()
    for mistake in ("did you mean 'telemetry.current'?", "a bare 3 is no window", "'repairs.broke'"):
        assert mistake in err, mistake


def test_too_little_history_and_a_planted_column_end_with_their_codes(daily, inbox, tmp_path, capsys, quick):
    folder = inbox(12)
    code, _, err = command(capsys, "run", daily.file, "--from", folder, "--store", tmp_path / "short")
    assert code == 3 and "history" in err
    # The file holds a column that says what only the next three days tell.
    failed = sorted(
        {
            line.split(",")[0] + line.split(",")[1][:10]
            for file in inbox(60).glob("repairs-*")
            for line in file.read_text().splitlines()[1:]
        }
    )
    days = [str(np.datetime64("2026-01-01") + day) for day in range(64)]
    for file in folder.glob("telemetry-*.csv"):
        head, *lines = file.read_text().splitlines()
        out = [head + ",ticket"]
        for line in lines:
            key, time = line.split(",")[:2]
            place = days.index(time[:10])
            # The question of a row is the first midnight after it.
            out.append(line + f",{int(any(key + day in failed for day in days[place + 1 : place + 4]))}")
        file.write_text("\n".join(out) + "\n")
    planted = tmp_path / "planted.py"
    planted.write_text(
        daily.text.replace('"current": "A"}', '"current": "A", "ticket": "number"}').replace(
            'features.Last("telemetry.current"),',
            'features.Last("telemetry.current"), features.Last("telemetry.ticket"),',
        )
    )
    code, _, err = command(capsys, "run", planted, "--from", folder, "--store", tmp_path / "planted")
    assert code == 4 and "column 'telemetry.ticket.last' alone tells" in err and "Traceback" not in err
    assert not list((tmp_path / "planted" / "releases").glob("[0-9a-f]*"))
    (record,) = runs.listed(Store.open(tmp_path / "planted", daily.page.data))
    assert record["state"] == "failed" and "LeakError" in record["why"]


def test_a_ceiling_that_is_beaten_fails_the_run(page, inbox, quick, tmp_path):
    def chance(moments):
        return np.random.default_rng(0).random(len(moments))

    bound = run.Bound(tmp_path / "store", inbox(60), ceiling=chance, ceiling_key="chance")
    with pytest.raises(errors.LeakError, match="better than the ceiling"):
        run.run(page, bound)
    with pytest.raises(errors.LeakError, match="better than the ceiling"):
        run.run(page, bound)


def test_two_runs_on_one_store_come_one_after_the_other(page, inbox, quick, tmp_path):
    bound = run.Bound(tmp_path / "store", inbox(40))
    found, wrong = [], []

    def go():
        try:
            found.append(run.run(page, bound))
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=go) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and len(found) == 2
    assert [made(one) for one in found][1] == [] and found[0].release == found[1].release


def test_a_run_that_waits_too_long_says_who_holds_the_store(page, inbox, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "RUN_WAIT_S", 0.0)
    (tmp_path / "store").mkdir()
    with durable.lock(tmp_path / "store" / "run.lock"), pytest.raises(errors.StoreError, match="by process"):
        run.run(page, run.Bound(tmp_path / "store", inbox(4)))


def test_a_release_is_made_again_when_its_reference_is_another(daily):
    """The reference travels in the release: one that was described anew must not leave the old one in it."""

    class Asked(Exception):
        pass

    class Steps:
        def carry(self, name, key, make):
            raise Asked(key)

    def key(reference):
        bound = run.Bound(store=None)
        with pytest.raises(Asked) as asked:
            run._ship(daily.page, None, Steps(), None, None, None, reference, "upstream", bound)
        return str(asked.value)

    assert key({"columns": {"x": 1}}) == key({"columns": {"x": 1}})
    assert key({"columns": {"x": 1}}) != key({"columns": {"x": 2}})


def test_the_reference_is_described_again_when_what_describes_it_changed(daily, monkeypatch):
    class Asked(Exception):
        pass

    class Steps:
        def carry(self, name, key, make):
            raise Asked(key)

    def key():
        with pytest.raises(Asked) as asked:
            run._reference(daily.page, Steps(), None, None, "upstream", run.Bound(store=None))
        return str(asked.value)

    before, code = key(), run.plan.code
    monkeypatch.setattr(
        run.plan, "code", lambda *rooms: code(*rooms) + "#" * ("runtime/watching.py" in rooms)
    )
    assert key() != before


def test_a_run_tells_its_slices_by_context_and_how_much_of_it_is_missing(daily, inbox, quick, tmp_path):
    lots = data.Table(
        "lots", columns={"lot": "category", "product": "category"}, time="time", unique=("lot",)
    )
    near = data.Context("telemetry", of="lots", columns=("product",), within=units.hours(12), orphans=0.05)
    fleet = part.replace(daily.page.data, tables=(*daily.page.data.tables, lots), context=(near,))
    fleet = part.replace(fleet, expect=(data.Missing("telemetry.product", at_most=0.2),))
    columns = (*COLUMNS, features.Last("telemetry.product", at_most=units.days(2)))
    page = part.replace(
        daily.page,
        data=fleet,
        features=part.replace(daily.page.features, columns=columns),
        model=part.replace(
            daily.page.model,
            slices="telemetry.product.last",
            challenger=model.Chain((model.Encode("telemetry.product.last"), model.Logistic())),
        ),
    )
    assert list(page.problems()) == []
    folder = inbox(60)
    rows = [
        f"m{n:02d},{np.datetime64('2026-01-01') + day}T05:30:00,l{n}-{day},{'xy'[n % 2]}"
        for day in range(60) for n in range(12) if n != 3 or day % 2
    ]  # fmt: skip
    (folder / "lots.csv").write_text("\n".join(["machine,time,lot,product", *rows]) + "\n")
    found = run.run(page, run.Bound(tmp_path / "store", folder)).json()
    for product in "xy":
        assert len(found["contest"]["challenger"][f"{product}.log_loss"]) == 3
    missing, context = found["data"]["expectations"]
    assert (missing["figure"], missing["passed"]) == (30 / 720, True)
    assert (context["check"], context["figure"], context["passed"]) == ("Context", 30 / 720, True)
    assert context["machines"] == {"m03": [30, 60]} and "most: m03 30 of 60" in context["why"]
    strict = part.replace(page, data=part.replace(fleet, context=(part.replace(near, orphans=0.01),)))
    again = run.run(strict, run.Bound(tmp_path / "store", folder)).json()
    assert not again["data"]["expectations"][1]["passed"]
