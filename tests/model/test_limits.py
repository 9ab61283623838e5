"""Costs within their limits, in the units they are measured in."""

import pytest

from flyball import errors, evidence, model, units


def measured(**figures):
    return {name: evidence.Measurement(name, value, value, value) for name, value in figures.items()}


@pytest.mark.parametrize(
    ("gate", "name", "at", "over"),
    [
        (model.Latency(p99=units.ms(5)), "p99_ms", 5.0, 5.01),
        (model.Memory(units.MiB(75)), "resident_bytes", 75 * 2**20, 75 * 2**20 + 1),
        (model.Size(units.MiB(1)), "size_bytes", 2.0**20, 2.0**20 + 1),
        (model.Agreement(1e-5), "agreement", 1e-5, 1.1e-5),
    ],
)
def test_a_limit_holds_up_to_itself(gate, name, at, over):
    assert gate.judge(measured(**{name: at}))[0].passed
    verdict = gate.judge(measured(**{name: over}))[0]
    assert not verdict.passed and verdict.figure == over and name in verdict.why
    assert not gate.judge(measured(**{name: float("nan")}))[0].passed
    with pytest.raises(errors.GateError, match="was not measured"):
        gate.judge({})


def test_the_median_is_judged_where_it_is_limited():
    gate = model.Latency(p99=units.ms(5), p50=units.ms(1))
    assert [v.passed for v in gate.judge(measured(p99_ms=4.0, p50_ms=2.0))] == [True, False]


def test_a_million_answers_have_a_price():
    gate = model.Cost(at_most=0.01, core_hour=0.036)
    assert gate.judge(measured(cpu_s=0.001))[0].figure == pytest.approx(0.01)
    assert [gate.judge(measured(cpu_s=value))[0].passed for value in (0.0009, 0.0011)] == [True, False]
    assert not gate.judge(measured(cpu_s=float("nan")))[0].passed
    with pytest.raises(errors.GateError, match="was not measured"):
        gate.judge(measured(p99_ms=1.0))
    assert [problem.place for problem in model.Cost(0.0, -1.0).problems(None)] == ["at_most", "core_hour"]
