import dataclasses
import pathlib
import subprocess
import sys

import pytest

from flyball import System, data, errors, features, labels, model, monitoring, part, serving, system, units
from flyball.systems import load

PAGE = load("scanner")
replace = dataclasses.replace


def test_the_ready_made_page_reads_back_and_has_no_problem():
    assert system.read(repr(PAGE)) == PAGE
    assert system.read(part.canonical(PAGE)) == PAGE
    assert list(PAGE.problems()) == []
    assert PAGE.check() is PAGE


def test_a_page_is_not_run_when_it_is_read():
    with pytest.raises(errors.DeclarationError):
        system.read(repr(PAGE).replace("'machine'", "__import__('os').getlogin()", 1))
    with pytest.raises(errors.DeclarationError, match="not a known part"):
        system.read("subprocess.Popen('true')")


def test_reading_a_page_opens_no_other_package(tmp_path):
    (tmp_path / "evil.py").write_text("raise SystemExit('ran')")
    script = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nfrom flyball import system, errors\n"
        "try:\n    system.read(\"evil.Part('a')\")\nexcept errors.DeclarationError:\n    print('refused')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "refused\n"


def feature(*columns):
    return replace(PAGE, features=replace(PAGE.features, columns=columns))


WRONG = {
    "a column that is not there": (
        feature(features.Last("telemetry.jiter")),
        "features.columns[0]: no column 'telemetry.jiter', did you mean 'telemetry.jitter'?",
    ),
    "a label that is not there": (
        replace(PAGE, labels=labels.FailsWithin(units.WEEK, event="repairs.fialed")),
        "no column 'repairs.fialed', did you mean 'repairs.failed'?",
    ),
    "a unit that is not there": (
        replace(
            PAGE,
            data=replace(PAGE.data, tables=(*PAGE.data.tables, data.Table("more", columns={"x": "kw"}))),
        ),
        "data.tables[3].columns['x']: no unit 'kw', did you mean 'kW'?",
    ),
    "a window that looks ahead": (
        feature(features.Rolling("telemetry.jitter", over=units.days(-1), by="mean")),
        "would look ahead",
    ),
    "a bare number for a window": (
        feature(features.Rolling("telemetry.jitter", over=7, by="mean")),
        "a bare 7 is no window, write days(7)",
    ),
    "a decision for another kind of answer": (
        replace(PAGE, serving=replace(PAGE.serving, decide=serving.Review(0.1))),
        "serving.decide: Review cannot decide on Probability, it decides on Classes",
    ),
    "a learner of another kind": (
        replace(PAGE, model=replace(PAGE.model, challenger=model.Ridge())),
        "model.challenger: Ridge cannot answer with Probability",
    ),
    "a shadow shorter than the horizon": (
        replace(PAGE, serving=replace(PAGE.serving, rollout=serving.Staged(units.DAY, 0.1, units.DAY))),
        "serving.rollout.shadow: days(1) ends before the first outcome is known",
    ),
    "a loss that is none": (
        replace(PAGE, monitoring=monitoring.Watch(concept=(monitoring.PageHinkley("logloss"),))),
        "monitoring.concept[0].metric: no loss 'logloss' of Probability, did you mean 'log_loss'?",
    ),
    "a stage that is none": (
        replace(PAGE, serving=serving.Budget(1, units.DAY)),
        "serving: a Budget stands where a serving.Edge belongs",
    ),
    "a stage that is a text": (
        replace(PAGE, labels="fails"),
        "labels: a str stands where a labels.Labeller belongs, declare one of labels.Corrected",
    ),
    "a part that cannot even be checked": (
        replace(PAGE, serving=replace(PAGE.serving, decide="often")),
        "serving: cannot be checked: AttributeError: ",
    ),
}


@pytest.mark.parametrize(("page", "said"), WRONG.values(), ids=WRONG)
def test_problems_name_the_place_and_what_would_mend_it(page, said):
    found = [str(problem) for problem in page.problems()]
    assert any(said in problem for problem in found), found


def test_every_problem_is_listed_at_once():
    page = feature(features.Last("telemetry.jiter"), features.Last("telemetry.vibraton"))
    page = replace(page, serving=replace(page.serving, decide=serving.Budget(0, units.DAY)))
    with pytest.raises(errors.DeclarationError) as error:
        page.check()
    said = str(error.value)
    assert said.splitlines()[0] == f"scanner: {len(error.value.problems)} problem(s) on the page"
    assert all(word in said for word in ("jiter", "vibraton", "0 alerts"))
    assert len(error.value.problems) >= 3


def test_diff_of_two_pages_is_a_diff_of_values():
    other = replace(PAGE, serving=replace(PAGE.serving, decide=serving.Budget(3, units.DAY, units.WEEK)))
    assert list(PAGE.diff(other)) == [("serving.decide.alerts", 2, 3)]
    assert list(PAGE.diff(PAGE)) == []
    assert PAGE.fingerprint() != other.fingerprint()


def test_the_fingerprint_is_the_same_in_another_process():
    script = "from flyball.systems import load; print(load('scanner').fingerprint())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == PAGE.fingerprint()


def test_the_concept_stays_readable_in_one_go():
    assert len(pathlib.Path(system.__file__).read_text().splitlines()) <= 140


def test_the_stages_are_the_fields_in_the_order_of_the_data():
    fields = [item.name for item in dataclasses.fields(System)]
    assert fields == ["name", "question", *system.STAGES]
    assert list(system.STAGES) == [room for room in part.ROOMS if room != "fab"]
