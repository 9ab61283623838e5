"""What each variant costs and is worth, told and drawn."""

import types

import pytest

from flyball import evidence, labels
from flyball.runtime import frontier, package, report


def variant(name, p99, worth, passed=True, **more):
    figures = {
        "p50_ms": p99 / 2,
        "p99_ms": p99,
        "resident_bytes": 4e7,
        "size_bytes": 1e6,
        "agreement": 0.0,
        **more,
    }
    measured = {key: evidence.Measurement(key, value, value, value) for key, value in figures.items()}
    measured["challenger.roc_auc"] = evidence.Measurement("roc_auc", worth, worth - 0.1, worth + 0.1)
    verdict = evidence.Verdict("gate", 1.0, 1.0, passed)
    return package.Variant(name, f"digest of {name}", measured, (verdict,))


def found(*variants, metric="roc_auc"):
    page = types.SimpleNamespace(
        model=types.SimpleNamespace(metrics=(metric,)),
        labels=types.SimpleNamespace(kind=lambda: labels.Probability()),
    )
    return types.SimpleNamespace(page=page, variants=list(variants), release="digest of Int8")


MANY = (
    variant("Int8", 1.0, 0.80),
    variant("Pruned50", 2.0, 0.70, passed=False, cpu_s=0.002),
    variant("source", 4.0, 0.85),
)


def test_the_table_tells_costs_worth_and_who_ships():
    told = frontier.text(found(*MANY), report.table)
    assert "Int8, ships" in told and "0.8 (0.7 to 0.9)" in told and told.count("fails") == 1
    assert "<td>2</td>" in told and "<td>40</td>" in told  # 2 CPU ms, 40 MB
    assert frontier.text(found(), report.table) == ""


def test_the_frontier_joins_what_no_other_beats():
    figure = frontier.draw(found(*MANY))
    left, right = figure.axes
    line = left.lines[-1]
    assert list(line.get_xdata()) == [1.0, 4.0] and list(line.get_ydata()) == [0.8, 0.85]
    assert right.get_xlabel() == "resident MB" and "higher is better" in left.get_ylabel()
    assert {text.get_text() for text in left.texts} == {"Int8", "Pruned50", "source"}
    assert report.svg(figure).startswith("<svg")


def test_one_variant_has_no_frontier_and_less_may_be_better():
    assert frontier.draw(found(MANY[0])) is None
    assert frontier.undominated([1.0, 2.0], [0.5, 0.4], higher=False) == [0, 1]
    assert frontier.undominated([1.0, 1.0], [0.5, 0.4], higher=False) == [1]
    assert frontier.undominated([1.0, 2.0], [0.4, 0.5], higher=False) == [0]


@pytest.mark.parametrize("metric", ["brier", "no such figure"])
def test_what_was_not_measured_of_a_variant_is_left_open(metric):
    assert "<td></td>" in frontier.text(found(*MANY, metric=metric), report.table)
    assert frontier.draw(found(*MANY, metric=metric)) is None
