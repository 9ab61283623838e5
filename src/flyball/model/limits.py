"""Gates on what scoring costs, and on whether a compressed variant still says the same."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from flyball import errors, evidence, units
from flyball.model.stage import Gate, Measured


class Latency(Gate):
    """Holds when the 99th percentile (and the median, where given) of one answer's time is within the limit.

    Measured on the real scoring process, one row at a time.

    >>> measured = {"p99_ms": evidence.Measurement("p99_ms", 1.4, 1.4, 1.4, unit="ms")}
    >>> [verdict.passed for verdict in Latency(p99=units.ms(5)).judge(measured)]
    [True]
    """

    p99: units.Duration
    p50: units.Duration | None = None

    def judge(self, measured: Measured) -> tuple[evidence.Verdict, ...]:
        """Return a verdict per limit, in milliseconds."""
        told = [_within(repr(self), measured, "p99_ms", self.p99 / 1000)]
        if self.p50 is not None:
            told.append(_within(repr(self), measured, "p50_ms", self.p50 / 1000))
        return tuple(told)

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        """Yield a time without a unit."""
        for name in ("p99", "p50"):
            yield from _unitless(name, getattr(self, name), units.Duration, "ms(5)")


class Memory(Gate):
    """Holds when the resident memory of the scoring process stays within the limit.

    >>> measured = {"resident_bytes": evidence.Measurement("resident_bytes", 6e7, 6e7, 6e7)}
    >>> [verdict.passed for verdict in Memory(units.MiB(75)).judge(measured)]
    [True]
    """

    at_most: units.Bytes

    def judge(self, measured: Measured) -> tuple[evidence.Verdict, ...]:
        """Return one verdict, in bytes."""
        return (_within(repr(self), measured, "resident_bytes", float(self.at_most)),)

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        """Yield a size without a unit."""
        yield from _unitless("at_most", self.at_most, units.Bytes, "MiB(75)")


class Size(Gate):
    """Holds when the model's files together stay within the limit.

    >>> measured = {"size_bytes": evidence.Measurement("size_bytes", 3e6, 3e6, 3e6)}
    >>> [verdict.passed for verdict in Size(units.MiB(2)).judge(measured)]
    [False]
    """

    at_most: units.Bytes

    def judge(self, measured: Measured) -> tuple[evidence.Verdict, ...]:
        """Return one verdict, in bytes."""
        return (_within(repr(self), measured, "size_bytes", float(self.at_most)),)

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        """Yield a size without a unit."""
        yield from _unitless("at_most", self.at_most, units.Bytes, "MiB(75)")


class Cost(Gate):
    """Holds when a million predictions cost at most so much, at the price of an hour of one core.

    Counted are the CPU seconds that an answer took in the scoring process, asked one row at a time; prices are in any
    one currency, and only as good as the price of the hour: state your own.

    >>> measured = {"cpu_s": evidence.Measurement("cpu_s", 0.0002, 0.0002, 0.0002, unit="s")}
    >>> [round(verdict.figure, 5) for verdict in Cost(at_most=0.01, core_hour=0.04).judge(measured)]
    [0.00222]
    """

    at_most: float
    core_hour: float = 0.04

    def judge(self, measured: Measured) -> tuple[evidence.Verdict, ...]:
        """Return one verdict, in the currency of the core's hour, per million predictions."""
        name = "cpu_s"
        if name not in measured:
            raise errors.GateError(f"{name} was not measured, {errors.did_you_mean(name, measured)}")
        price = measured[name].value / 3600 * self.core_hour * 1e6
        passed = not math.isnan(price) and price <= self.at_most
        why = f"a million answers at {measured[name].value:.3g} CPU s cost {price:.4g}, at most {self.at_most:.4g}"
        return (evidence.Verdict(repr(self), price, self.at_most, passed, why),)

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        """Yield a price that is none."""
        for name in ("at_most", "core_hour"):
            if not getattr(self, name) > 0:
                yield errors.Problem(name, f"a price of {getattr(self, name):g}", "give more than zero")


class Agreement(Gate):
    """Holds when no answer of what ships is further than this from the model that the contest judged.

    >>> measured = {"agreement": evidence.Measurement("agreement", 2e-7, 2e-7, 2e-7)}
    >>> [verdict.passed for verdict in Agreement().judge(measured)]
    [True]
    """

    at_most: float = 1e-5

    def judge(self, measured: Measured) -> tuple[evidence.Verdict, ...]:
        """Return one verdict, in units of the answer."""
        return (_within(repr(self), measured, "agreement", self.at_most),)


def _unitless(place: str, value: Any, kind: type, example: str) -> Iterator[errors.Problem]:
    """Yield a problem when a value is a bare number: 5 could be anything."""
    if value is not None and not isinstance(value, kind):
        yield errors.Problem(
            place, f"a bare {value!r} is no limit", f"write it with its unit, such as {example}"
        )


def _within(gate: str, measured: Measured, name: str, limit: float) -> evidence.Verdict:
    if name not in measured:
        raise errors.GateError(f"{name} was not measured, {errors.did_you_mean(name, measured)}")
    told = measured[name]
    passed = not math.isnan(told.value) and told.value <= limit
    return evidence.Verdict(
        gate, told.value, limit, passed, f"{name} is {told.value:.4g}, at most {limit:.4g}"
    )
