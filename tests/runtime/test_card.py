import dataclasses

import pytest

from flyball.runtime import card, package


@pytest.fixture(scope="module")
def told(pumps):
    found = pumps.result
    data = package.trained_on(found.page, found.x, found.y)
    return found, card.text(found.page, found.held, found.x, data)


def test_it_says_what_it_is_for_what_it_learned_from_how_well_it_answers_and_its_limits(told):
    found, text = told
    page, held = found.page, found.held
    for heading in ("What it is for", "What it learned from", "How well it answers", "Limits"):
        assert f"\n## {heading}\n" in text
    assert page.question in text and page.fingerprint() in text and repr(page.serving.decide) in text
    assert f"learned from {len(held.trained)} rows, judged on {len(held.test.rows)}" in text
    assert "log_loss (lower is better)" in text
    for gate in page.model.gates:
        assert repr(gate) in text
    assert (found.page.data.tables[0].name in text) and "2026-" in text


def test_every_figure_of_everybody_stands_there_with_its_interval(told):
    found, text = told
    for who in (*found.held.test.answers, "difference"):
        for metric in found.page.model.metrics:
            m = found.held.measured.get(f"{who}.{metric}")
            if m is not None:
                assert f"| {m.value:.4g} | {m.low:.4g} to {m.high:.4g} |" in text, (who, metric)
    assert "challenger to baseline, paired" in text and "by slice" not in text


def test_slices_have_a_table_of_their_own(told):
    found, _ = told
    metric = found.page.model.metrics[0]
    m = found.held.measured[f"challenger.{metric}"]
    some = dataclasses.replace(m, value=0.1234567, low=0.1, high=0.2)
    held = dataclasses.replace(
        found.held, measured={**found.held.measured, f"challenger.site=A.{metric}": some}
    )
    data = package.trained_on(found.page, found.x, found.y)
    text = card.text(found.page, held, found.x, data)
    assert f"| site=A | {metric} | 0.1235 | 0.1 to 0.2 |" in text.split("by slice")[1]
