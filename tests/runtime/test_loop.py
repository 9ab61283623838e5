import shutil

import pytest

from flyball import data, durable, errors, features, feedback, labels, model, monitoring, part, serving, units
from flyball.runtime import contest, loop, package, run
from flyball.runtime.store import Store


@pytest.fixture
def fleet(daily, tmp_path, quick):
    """A fleet that sends day by day: `send(until)` puts the days up to it into the inbox; `round()` goes round."""
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    days = list(daily.files)
    columns = (
        features.Rolling("telemetry.vibration", over=units.days(3), by="mean"),
        features.Last("telemetry.vibration", at_most=units.days(2)),
    )
    watch = part.replace(daily.page.monitoring, retrain=(monitoring.Weekly(),), drift=None, concept=())
    page = part.replace(
        daily.page, features=part.replace(daily.page.features, columns=columns), monitoring=watch
    )

    class Fleet:
        bound = run.Bound(tmp_path / "store", inbox)

        def __init__(self):
            self.page = page

        def send(self, until):
            for day in days[:until]:
                for file in daily.files[day]:
                    target = inbox / f"{file.parent.name}-{file.name}"
                    if not target.exists():
                        shutil.copy(file, target)

        def round(self, page=None):
            return loop.once(page or self.page, self.bound)

        def store(self):
            return Store.open(self.bound.store, self.page.data)

        def answers(self):
            rows = self.store().answers()
            return {
                *zip(rows.segments().tolist(), rows.at.tolist(), rows.columns["release"].texts(), strict=True)
            }

    return Fleet()


def test_between_trainings_the_same_release_answers_and_nothing_is_trained(fleet):
    fleet.send(45)
    first = fleet.round()
    assert (first["trained"], first["because"]) == (True, "first training") and first["release"]
    before = fleet.answers()
    for day in (46, 47, 48):
        fleet.send(day)
        told = fleet.round()
        assert not told["trained"] and told["because"] == "" and told["as_of"] == first["as_of"]
        assert told["release"] == first["release"]
        steps = {step["name"]: step["reused"] for step in told["steps"]}
        assert steps["contest"] and steps["ship"] and steps["reference"] and not steps["answer"]
    newer = fleet.answers() - before
    # A new moment a day, of every machine that sent, all by that release.
    assert len({at for _, at, _ in newer}) == 3 and {release for *_, release in newer} == {first["release"]}


def test_a_round_in_which_nothing_arrived_does_nothing(fleet):
    fleet.send(45)
    first = fleet.round()
    before = fleet.answers()
    told = fleet.round()
    assert "steps" not in told and not told["trained"]
    assert (told["release"], told["watch"]) == (first["release"], first["watch"])
    assert fleet.answers() == before and loop.line(told).startswith("pumps: 0 file(s), answered, release ")


def test_late_rows_between_trainings_leave_the_training_alone(fleet, tmp_path):
    fleet.send(45)
    first = fleet.round()
    late = fleet.bound.source / "telemetry-late.csv"
    late.write_text("machine,time,seen,vibration,current\nm00,2026-01-10T06:00:00,2026-02-15T00:00:00,9,9\n")
    told = fleet.round()
    steps = {step["name"]: step["reused"] for step in told["steps"]}
    assert not steps["features/2026-01-10"] and steps["contest"] and steps["ship"]
    assert told["release"] == first["release"] and not told["trained"]


def test_a_week_later_it_trains_and_after_a_long_sleep_once(fleet):
    fleet.send(40)
    first = fleet.round()
    fleet.send(46)
    assert not fleet.round()["trained"]
    fleet.send(47)
    told = fleet.round()
    assert told["trained"] and told["because"].startswith("weekly") and told["as_of"] > first["as_of"]
    assert told["release"] != first["release"]
    fleet.send(60)
    trained = [fleet.round()["trained"] for _ in range(3)]
    assert trained == [True, False, False]


def test_an_alarm_trains_once(fleet, monkeypatch):
    alarmed = part.replace(
        fleet.page,
        monitoring=part.replace(
            fleet.page.monitoring, drift=monitoring.Drift(over=units.WEEK), retrain=(monitoring.OnAlarm(),)
        ),
    )
    fleet.send(40)
    first = fleet.round(alarmed)
    fleet.send(60)
    for file in fleet.bound.source.glob("telemetry-2026-02-*.csv"):
        if file.name > "telemetry-2026-02-10":
            head, *lines = file.read_text().splitlines()
            cells = [line.split(",") for line in lines]
            shifted = [
                f"{key},{time},{float(vibration) + 20},{current}" for key, time, vibration, current in cells
            ]
            file.write_text("\n".join([head, *shifted]) + "\n")
    noticed = fleet.round(alarmed)
    assert not noticed["trained"] and noticed["watch"]["alarms"] and noticed["release"] == first["release"]
    told = fleet.round(alarmed)
    assert told["trained"] and told["because"] == "alarm: drift" and told["as_of"] > first["as_of"]
    # What was raised before the training is no reason to train again.
    assert not fleet.round(alarmed)["trained"]


@pytest.mark.parametrize("wrong", ["gate", "error"])
def test_a_training_that_comes_to_nothing_leaves_the_release_that_serves(fleet, wrong, monkeypatch):
    fleet.send(40)
    first = fleet.round()
    fleet.send(47)
    with monkeypatch.context() as patch:
        if wrong == "gate":
            real = package.chosen
            patch.setattr(
                package,
                "chosen",
                lambda variants: found if (found := real(variants)).digest == first["release"] else None,
            )
        else:

            def short(page, x, *rest, **named):
                raise errors.DataError("no event among the rows")

            patch.setattr(contest, "hold", short)
        told = fleet.round()
    assert (
        told["trained"]
        and told["refused"]
        and (told["release"], told["as_of"]) == (first["release"], first["as_of"])
    )
    assert "goes on with the release before" in loop.line(told)
    assert max(at for _, at, _ in fleet.answers()) > first["as_of"]
    # It was tried: the calendar counts from then on, and the next day is answered as before.
    fleet.send(48)
    told = fleet.round()
    assert not told["trained"] and told["release"] == first["release"]


def test_truth_that_arrives_joins_the_answers(fleet):
    fleet.send(45)
    fleet.round()
    fleet.send(46)
    told = fleet.round()
    assert told["outcomes"]
    fleet.send(51)
    told = fleet.round()
    settled = {state: count for state, count in told["outcomes"].items() if state != "pending"}
    assert settled and told["outcomes"]["pending"]
    rows = fleet.store().frame("outcomes")
    assert rows.filter(rows["state"] != "pending").height >= sum(settled.values())


@pytest.mark.parametrize("after", ["taken in", "trained"])
def test_a_loop_that_was_cut_off_goes_on_where_it_was(fleet, after, monkeypatch):
    fleet.send(45)
    first = fleet.round()
    fleet.send(46)
    with monkeypatch.context() as patch:
        if after == "taken in":
            patch.setattr(run, "run", lambda page, bound: (_ for _ in ()).throw(KeyboardInterrupt))
        else:
            real = run.run
            patch.setattr(
                run, "run", lambda page, bound: (real(page, bound), (_ for _ in ()).throw(KeyboardInterrupt))
            )
        with pytest.raises(KeyboardInterrupt):
            fleet.round()
    told = fleet.round()
    assert told["arrived"]["files"] == 0, "the files were in already"
    assert "steps" in told and not told["trained"] and told["release"] == first["release"]
    assert max(at for _, at, _ in fleet.answers()) == max(row for row in fleet.store().answers().at.tolist())
    assert len({at for _, at, _ in fleet.answers()}) == 2
    assert "steps" not in fleet.round()


def test_two_loops_do_not_go_round_in_one_store(fleet):
    fleet.send(45)
    fleet.round()
    with (
        durable.lock(fleet.bound.store / "loop.lock"),
        pytest.raises(errors.StoreError, match="being written to by process"),
    ):
        fleet.round()


def test_the_loop_ends_after_its_rounds(fleet, monkeypatch):
    slept = []
    monkeypatch.setattr(loop, "once", lambda page, bound: {"round": len(slept)})
    monkeypatch.setattr(loop.time, "sleep", slept.append)
    assert list(loop.go(fleet.page, fleet.bound, 60.0, rounds=3)) == [
        {"round": 0},
        {"round": 1},
        {"round": 2},
    ]
    assert len(slept) == 2 and all(59 < pause <= 60 for pause in slept)


def test_a_page_without_a_wall_clock_trains_on_what_came(fleet, tmp_path):
    table = data.Table("parts", columns={"x": "number", "good": "category"})
    page = part.replace(
        fleet.page,
        data=data.Fleet("unit", clock=None, tables=(table,)),
        features=features.AsOf(asked=features.Each("parts"), columns=(features.Last("parts.x"),)),
        labels=labels.Given("parts.good", labels.Classes(("false", "true"))),
        model=part.replace(
            fleet.page.model,
            choose=model.ByMachine(folds=2),
            test=model.ByMachine(folds=1, share=0.3),
            gates=(),
            metrics=("macro_f1",),
            challenger=model.BoostedTrees(trees=5),
        ),
        serving=serving.Edge(decide=serving.Review(share=0.1)),
        feedback=feedback.Outcomes(),
    )
    inbox = tmp_path / "parts"
    inbox.mkdir()

    def write(name, since, until):
        rows = [
            f"u{n:03d},{(n * 7) % 13},{'true' if (n * 7) % 13 + n % 3 > 7 else 'false'}"
            for n in range(since, until)
        ]
        (inbox / name).write_text("unit,x,good\n" + "\n".join(rows) + "\n")

    write("parts-1.csv", 0, 150)
    bound = run.Bound(tmp_path / "store", inbox)
    told = [loop.once(page, bound) for _ in range(2)]
    write("parts-2.csv", 150, 220)
    told += [loop.once(page, bound) for _ in range(2)]
    assert [one["because"] for one in told] == ["first training", "", "new rows", ""]
    assert told[0]["release"] and told[2]["release"] != told[0]["release"] == told[1]["release"]
