import dataclasses

import numpy as np
import pytest

from flyball import (
    data,
    errors,
    fab,
    features,
    feedback,
    labels,
    model,
    monitoring,
    part,
    serving,
    system,
    systems,
    units,
)
from flyball.systems import scanner
from flyball.units import DAY, WEEK, days

PAGE = scanner.page.system


def test_the_page_has_no_problem_and_reads_back():
    assert list(PAGE.problems()) == []
    again = system.read(repr(PAGE))
    assert (
        again == PAGE and again.fingerprint() == PAGE.fingerprint() == systems.load("scanner").fingerprint()
    )
    assert list(PAGE.diff(again)) == []


def test_its_tables_are_those_that_the_fleet_sends():
    sent = fab.tables(fab.Fab("tiny"))
    for table in PAGE.data.tables:
        assert set(table.columns) <= set(sent[table.name])
    assert {
        name: unit for name, unit in fab.UNITS.items() if name in scanner.page.CHANNELS
    } == scanner.page.CHANNELS


def test_its_input_is_written_and_its_ceiling_is_a_probability(tmp_path, monkeypatch):
    from flyball.systems.scanner import inputs

    small = fab.Fab("tiny", machines=2, days=20)
    monkeypatch.setattr(inputs, "FLEET", small)
    inputs.prepare(tmp_path)
    assert {"telemetry", "events", "repairs"} <= {path.name for path in tmp_path.iterdir()}
    key, ceiling = inputs.ceiling()
    assert key == repr(small)
    start = fab.START_US + 5 * int(DAY)
    moments = features.stage.Moments.of(["A-001", "B-001"], [start, start])
    found = ceiling(moments)
    assert found.shape == (2,) and ((found >= 0) & (found <= 1)).all() and np.isfinite(found).all()


def test_telemetry_takes_the_product_from_measured_lots_that_come_a_day_late(tmp_path):
    """The fleet's own overlay metrology as context: late by hours, for some lots without a product at all."""
    from flyball.fab import fleet
    from flyball.runtime import build, plan, store

    small = fab.Fab("tiny", machines=4, days=60)
    lots = data.Table("overlay", columns={"product": "category"}, time="time", unique=("at",))
    near = data.Context("telemetry", of="overlay", columns=("product",), within=units.hours(2), orphans=0.5)
    telemetry = data.Table("telemetry", columns={"vibration": "mm/s"}, time="time", unique=("at",))
    page = part.replace(
        PAGE,
        data=data.Fleet("machine", data.WallClock(), (telemetry, lots), context=(near,)),
        features=features.AsOf(features.Every(DAY), (features.Last("telemetry.product", at_most=days(3)),)),
    )
    fab.write(small, tmp_path / "files", only=("telemetry", "overlay"), with_truth=False)
    kept = store.Store.open(tmp_path / "store", page.data)
    kept.ingest([tmp_path / "files"])
    raw = build.cleaned(page, build.raw(page, kept))
    joined = build.joined(page, raw)["telemetry"]
    settled = joined.known(None)
    assert len(settled) == len(raw["telemetry"].known(None)) < len(joined)
    # Whatever was joined is what the machine exposed within the two hours before.
    names = {name: number for number, name in enumerate(fleet.plan(small).names)}
    made, told = fleet.production(small).product, settled.words("product").texts()
    agree = []
    for code, at, product in zip(settled.segments().tolist(), settled.at.tolist(), told, strict=True):
        hour = (at - fab.START_US) // int(units.hours(1))
        if product:
            lately = made[names[settled.keys[code]], max(0, hour - 3) : hour + 1]
            agree.append(product in {f"P{number:02d}" for number in lately})
    assert len(agree) > 200 and np.mean(agree) > 0.98, (len(agree), np.mean(agree))
    # A lot is measured hours after it was exposed: when a row is first seen next to nothing is known of it.
    (found,) = build.orphans(page, raw, None)
    assert found["orphans"] < found["first"] and not found["passed"] and len(found["machines"]) == 4
    x, _ = build.matrix(page, kept, plan.Plan(kept))
    assert set(x.columns["telemetry.product.last"].texts()) > {"P00", None}


def stage(name, **changes):
    return lambda: part.replace(PAGE, **{name: part.replace(getattr(PAGE, name), **changes)})


def column(feature):
    return stage("features", columns=(*PAGE.features.columns, feature))


def cleaned(cleaner):
    return stage("data", clean=(cleaner,))


def labelled(**changes):
    return stage_of("labels", **changes)


def stage_of(name, **changes):
    return lambda: part.replace(PAGE, **{name: part.replace(getattr(PAGE, name), **changes)})


def rules(*columns):
    return stage("model", baseline=model.Threshold(columns=columns))


MISTAKES = {
    "wrong column": (column(features.Last("telemetry.jiter")), "did you mean 'telemetry.jitter'?"),
    "wrong table": (column(features.Last("telemetri.jitter")), "telemetri"),
    "no such event": (labelled(event="repairs.fialed"), "did you mean 'repairs.failed'?"),
    "no such table of life": (labelled(alive="telemetri"), "no table 'telemetri'"),
    "an event that is no yes or no": (
        labelled(event="repairs.part"),
        "'repairs.part' is declared 'category' and a bool is needed",
    ),
    "a mean of words": (
        column(features.Rolling("events.code", over=DAY, by="mean")),
        "is declared 'category' and a number is needed",
    ),
    "a wrong unit": (
        stage("data", tables=(*PAGE.data.tables, data.Table("more", columns={"speed": "umm"}))),
        "'umm'",
    ),
    "a clip of words": (
        cleaned(data.Clip("events.code", 0, 1)),
        "'events.code' is declared 'category' and a number is needed",
    ),
    "bounds of words": (
        stage("data", expect=(data.Between("events.code", 0, 1),)),
        "'events.code' is declared 'category' and a number is needed",
    ),
    "an expectation of a column that is none": (
        stage("data", expect=(data.Missing("telemetry.jiter", 0.1),)),
        "did you mean 'telemetry.jitter'?",
    ),
    "a gap that looks ahead": (labelled(gap=units.Duration(-int(DAY))), "would look ahead"),
    "a bare number for a window": (
        column(features.Rolling("telemetry.jitter", over=7, by="mean")),
        "a bare 7 is no window",
    ),
    "steps on a wall clock": (
        column(features.Rolling("telemetry.jitter", over=units.steps(7), by="mean")),
        "on a page with a wall clock",
    ),
    "a window that looks ahead": (
        column(features.Rolling("telemetry.jitter", over=units.Duration(-int(DAY)), by="mean")),
        "would look ahead",
    ),
    "a column twice": (column(PAGE.features.columns[0]), "a second column called"),
    "a metric that is none": (stage("model", metrics=("averge_precision",)), "averge_precision"),
    "a metric of another kind": (stage("model", metrics=("average_precision", "rmse")), "rmse"),
    "a gate on what is not measured": (
        stage("model", gates=(model.Beats("accuracy"),)),
        "'accuracy' is not measured",
    ),
    "a learner of another kind": (
        stage("model", challenger=model.Conformal(model.BoostedTrees())),
        "cannot answer with Probability",
    ),
    "a rule over a column that is none": (rules("events.code.DG-W9.count.2d"), "DG-W9"),
    "a sign for columns that are none": (
        stage("model", challenger=model.BoostedTrees(monotone={"telemetri.*": 1})),
        "telemetri.*",
    ),
    "a guard shorter than the horizon": (stage("model", test=model.Latest(share=0.25, guard=DAY)), "guard"),
    "a guard of folds shorter than the horizon": (
        stage("model", choose=model.Rolling(folds=3, guard=DAY)),
        "guard",
    ),
    "a bare number for a latency": (stage("model", gates=(model.Latency(p99=5),)), "a bare 5"),
    "a bare number for a memory": (stage("model", gates=(model.Memory(75),)), "a bare 75"),
    "a decision of another kind": (stage("serving", decide=serving.Review(share=0.1)), "Review"),
    "a shadow shorter than the horizon": (
        stage("serving", rollout=serving.Staged(shadow=DAY, canary=0.1, hold=DAY)),
        "ends before the first outcome is known",
    ),
    "a canary of nobody": (
        stage("serving", rollout=serving.Staged(shadow=days(9), canary=0.0, hold=DAY)),
        "no share of the machines",
    ),
    "a fallback that is none": (stage("serving", fallback="baselin"), "baselin"),
    "an outcome that is none": (stage("feedback", event="repairs.fialed"), "repairs.fialed"),
    "a loss of another kind": (
        stage("monitoring", concept=(monitoring.PageHinkley("absolute_error"),)),
        "no loss 'absolute_error'",
    ),
    "a budget that alarms always": (
        stage("monitoring", drift=monitoring.Drift(over=WEEK, false_alarms=500)),
        "may alarm for nothing",
    ),
    "a trigger that nothing pulls": (
        stage("monitoring", drift=None, concept=()),
        "nothing on the page raises an alarm",
    ),
    "a decision where labels belong": (
        lambda: part.replace(PAGE, labels=PAGE.serving.decide),
        "stands where a",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_with_its_place(name):
    wrong, said = MISTAKES[name]
    problems = [str(problem) for problem in wrong().problems()]
    assert any(said in problem for problem in problems), problems
    assert len(problems) <= 4, "one mistake is not told over and over"


def test_all_mistakes_are_listed_at_once():
    page = dataclasses.replace(
        PAGE,
        features=part.replace(
            PAGE.features,
            columns=(
                features.Last("telemetry.jiter"),
                features.Rolling("telemetry.jitter", over=7, by="mean"),
            ),
        ),
        labels=part.replace(PAGE.labels, event="repairs.fialed", gap=units.Duration(-1)),
        feedback=feedback.Outcomes("repairs.failed", wait=units.Duration(-5)),
        model=part.replace(PAGE.model, metrics=("rmse",)),
    )
    with pytest.raises(errors.DeclarationError) as told:
        page.check()
    for said in ("'telemetry.jitter'?", "a bare 7", "'repairs.failed'?", "would look ahead", "rmse"):
        assert said in str(told.value)
    assert len(told.value.problems) >= 6 and isinstance(page.labels, labels.FailsWithin)
