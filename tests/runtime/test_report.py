import dataclasses
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from flyball import data, evidence, labels
from flyball.features import stage as features
from flyball.runtime import contest, package, plan, report, result
from flyball.systems import load
from flyball.units import DAY

EVIL = "<script>alert('x')</script>"
KINDS = {
    "probability": labels.Probability(),
    "classes": labels.Classes(("none", "ring", "<edge>")),
    "quantity": labels.Quantity("d", low=0.0),
}


class Says(labels.Labeller):
    """A labeller of any kind of answer, for a page that is only shown."""

    of: labels.Kind

    def kind(self):
        return self.of


class Mute:
    """A predictor that cannot say what it rests on."""

    def influence(self):
        return {}


def made(kind, n=60, clock=True, **changes):
    """A small result, by hand, of any kind of answer."""
    rng = np.random.default_rng(0)
    page = load("scanner")
    page = dataclasses.replace(page, labels=Says(kind), question=f"Which? {EVIL}")
    if not clock:
        page = dataclasses.replace(page, data=dataclasses.replace(page.data, clock=None))
    moments = features.Moments.of([f"m{i % 6}" for i in range(n)], [i // 6 * int(DAY) for i in range(n)])
    values = rng.normal(size=n)
    columns = {"x": np.where(values > 1.5, np.nan, values), "kind": data.Words.of(["a", None] * (n // 2))}
    x = features.Matrix(moments, columns, {"gone": f"has not arrived {EVIL}"})
    truth = rng.integers(0, 2, n).astype(float)
    answers = rng.random(n)
    if isinstance(kind, labels.Classes):
        answers = rng.dirichlet(np.ones(3), n)
    if isinstance(kind, labels.Quantity):
        truth = rng.random(n) * 50
        answers = np.stack([truth + 1, truth - 4, truth + 6], axis=1)
    y = labels.Answers(truth, np.ones(n, bool), data.Words.of([None] * n), np.ones(n))
    rows = np.arange(n)
    judged = contest.Judged(rows, truth, {"baseline": answers, "plain": answers, "challenger": answers})
    measured = {
        f"{prefix}{who}.{metric}": evidence.Measurement(metric, 0.5, 0.4, 0.6)
        for prefix in ("", "rolling.")
        for who in ("baseline", "plain", "challenger")
        for metric in page.model.metrics
    }
    measured["difference.average_precision"] = evidence.Measurement("d", 0.1, -0.05, 0.25)
    held = contest.Held(
        judged,
        judged,
        measured,
        {"challenger": Mute()},
        0.5,
        rows[:40],
        influence={"challenger": {"x": 2.0, EVIL: 1.0}},
    )
    verdict = evidence.Verdict(f"Beats {EVIL}", 0.1, 1e9, False, "too little")
    variant = package.Variant("source", "a" * 64, {}, (verdict,))
    watch = {
        "columns": [
            {"column": "x", "psi": 0.4, "limit": 0.2, "alarm": True},
            {"column": "k", "psi": 0.1, "limit": None, "alarm": False},
        ],
        "alarms": [
            {
                "detector": "drift",
                "at": 9,
                "statistic": 0.4,
                "limit": 0.2,
                "why": "",
                "columns": [f"x {EVIL}"],
            }
        ],
        "retrain": "alarm: drift",
    }
    alerts = (evidence.Alert("m1", int(DAY), 0.9, 1), evidence.Alert("m2", 2 * int(DAY), 0.8, 1))
    receipt = {
        "files": 3,
        "good": {"telemetry": 1234567},
        "quarantined": {"telemetry": {f"odd {EVIL}": 2}},
        "absent": {},
    }
    findings = [{"column": "telemetry.x", "figure": 0.5, "limit": 0.02, "passed": False}]
    steps = [plan.Step("features/2026-01-01", "k", 0.5, True), plan.Step("contest", "k2", 1.5, False)]
    told = {
        "receipt": {},
        "holds": receipt,
        "findings": findings,
        "watch": watch,
        "alerts": alerts,
        "release": None,
        **changes,
    }
    return result.Result(page, steps, x=x, y=y, held=held, variants=[variant], **told)


WEEKS = [
    {"since": n * int(DAY), "known": 3, "pending": 1, "censored": 0, "said": 0.2, "came": 0.1, "loss": 0.3,
     "metric": "log_loss"}
    for n in range(4)
]  # fmt: skip
ACTS = [{"act": "offered", "at": 10**15, "stage": "shadow", "why": f"first {EVIL}"}]


def written(found, folder):
    report.write(found, folder / "report.html", WEEKS, ACTS)
    return (folder / "report.html").read_text(encoding="utf-8")


class Reader(HTMLParser):
    """Holds open tags, and what is written in headings and cells."""

    def __init__(self):
        super().__init__()
        self.open, self.titles, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        self.text.append(text)
        if self.open and self.open[-1] == "h2":
            self.titles.append(text)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_kind_of_answer_has_a_whole_report(tmp_path, kind):
    page = written(made(kind), tmp_path)
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    probable = isinstance(kind, labels.Probability)
    assert reader.titles == [
        "How good is the answer?",
        *(["What it would save"] if probable else []),
        "May it ship?",
        "What does an answer cost?",
        "Can the answer be believed?",
        "The alerts a planner would have had",
        "What the answer rests on",
        "Does it still hold?",
        "What happened then?",
        "How it gets to the machines",
        "What came in",
        "How it was made",
    ]
    assert page.count("<svg") == (8 if probable else 6)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_it_needs_nothing_from_anywhere(tmp_path, kind):
    page = written(made(kind), tmp_path)
    for mark in ("http", "src=", "@import", "url(/", "file:", "<link", "<iframe", "<object", "<img", "data:"):
        assert mark not in page, mark
    assert all(target.startswith("#") for target in re.findall(r'href="([^"]*)"', page))
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", page))


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_the_same_result_gives_the_same_text(tmp_path, kind):
    assert written(made(kind), tmp_path) == written(made(kind), tmp_path)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_what_came_from_outside_is_shown_and_never_run(tmp_path, kind):
    page = written(made(kind), tmp_path)
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 5


def test_what_matters_is_said(tmp_path):
    reader = Reader()
    reader.feed(written(made(labels.Probability()), tmp_path))
    text = " ".join("".join(reader.text).split())
    for words in (
        "released: a gate fails",
        "1,234,567",
        "Train again: alarm: drift.",
        "0.5 (0.4 to 0.6)",
        "+0.1",
        "1,000,000,000",
        "fails",
        "1970-01-02 00:00",
    ):
        assert words in text, words


def test_the_share_inside_the_interval_is_told(tmp_path):
    assert "100.0% of the truths" in written(made(labels.Quantity("d")), tmp_path)


def test_little_is_enough(tmp_path):
    found = made(
        labels.Probability(),
        clock=False,
        alerts=(),
        watch={},
        receipt={},
        holds={"files": 0, "good": {}, "quarantined": {}, "absent": {}},
        findings=[],
    )
    found.variants.clear()
    page = written(found, tmp_path)
    assert "None on the rows judged on." in page
    assert "No alarm." in page


def test_cells_are_escaped_and_numbers_short():
    text = report.table(("<a>",), [(EVIL,), (True,), (False,), (0.123456,), (7,), (float("nan"),)])
    assert "<script" not in text
    assert "<th>&lt;a&gt;</th>" in text
    for cell in (
        "<span class='yes'>holds</span>",
        "<span class='no'>fails</span>",
        ">0.1235<",
        ">7<",
        ">nan<",
    ):
        assert cell in text
