"""How many alarms may come for nothing, over everything a page watches, and how many came.

Why: drift states its budget for a machine, a detector of losses for the stream of the fleet, and who is woken by them
wants one number: so many a year on this fleet.  Alarms that came are no false ones; but where they are many more than
may come for nothing, something happened, and where they are as many, perhaps nothing did.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from flyball import evidence, extras, units
from flyball.monitoring import stage as monitoring

if TYPE_CHECKING:
    from flyball.features import stage as features


def stated(watch: monitoring.Watch, machines: int) -> dict[str, float]:
    """Return {part: episodes a year that may come for nothing on so many machines}.

    Without budgets in steps, and without detectors whose threshold is declared: that holds none.

    >>> from flyball import monitoring
    >>> page = monitoring.Watch(
    ...     drift=monitoring.Drift(over=units.WEEK, false_alarms=0.1, per=units.YEAR),
    ...     concept=(monitoring.PageHinkley("log_loss", false_alarms=2, per=units.YEAR),),
    ... )
    >>> stated(page, machines=40)
    {'Drift': 4.0, 'PageHinkley': 2.0, 'Performance': 1.0}
    """
    found: dict[str, float] = {}
    for one, many in (
        (watch.drift, machines),
        *((detector, 1) for detector in watch.concept),
        (watch.performance, 1),
    ):
        budget, per = getattr(one, "false_alarms", None), getattr(one, "per", None)
        if isinstance(one, monitoring.Detector) and one.threshold() is not None:
            continue
        if budget is not None and isinstance(per, units.Duration):
            name = type(one).__name__
            found[name] = found.get(name, 0.0) + budget * many * int(units.YEAR) / int(per)
    return found


def told(
    watch: monitoring.Watch, moments: features.Moments, raised: Iterable[evidence.Alarm]
) -> dict[str, Any]:
    """Return what may come for nothing in a year, what came in the time that was watched, and its 95 % interval.

    `moments` are those that were watched.  {} where no budget is stated in time, or hardly any time has gone by.
    """
    at, machines = moments.at, len(set(moments.codes.tolist()))
    parts = stated(watch, machines)
    if not parts or not len(at) or not units.is_time(int(at.max())):
        return {}
    years = float(at.max() - at.min()) / int(units.YEAR)
    if years * 52 < 1:
        return {}
    came, beside = dict.fromkeys(parts, 0), 0
    for alarm in raised:
        name = alarm.detector.partition("(")[0].lower()
        part = next((part for part in parts if part.lower() == name), None)
        if part is None:
            beside += 1
        elif alarm.at >= at.min():  # an older one came before what is watched here
            came[part] += 1
    many = sum(came.values())
    low, high = _interval(many)
    return {
        "machines": machines, "years": years, "stated": parts, "raised": came, "beside": beside,
        "stated_a_year": sum(parts.values()), "raised_a_year": many / years, "low": low / years, "high": high / years,
    }  # fmt: skip


def words(budget: Mapping[str, Any]) -> str:
    """Return it as one sentence, "" where there is nothing to tell."""
    if not budget:
        return ""
    parts = ", ".join(f"{name} {value:.3g}" for name, value in budget["stated"].items())
    many, machines = sum(budget["raised"].values()), budget["machines"]
    beside = f"; {budget['beside']} of detectors without such a budget" if budget["beside"] else ""
    return (
        f"{many} alarm{'' if many == 1 else 's'} in {budget['years'] * 12:.1f} months on {machines} machines, "
        f"{budget['raised_a_year']:.3g} a year ({budget['low']:.3g} to {budget['high']:.3g}); "
        f"{budget['stated_a_year']:.3g} a year may come although nothing happens ({parts}){beside}"
    )


def _interval(many: int) -> tuple[float, float]:
    """Return the exact 95 % interval of a Poisson count (Garwood 1936)."""
    stats = extras.need("scipy.stats", "lab", "to judge how many alarms came")
    low = float(stats.chi2.ppf(0.025, 2 * many)) / 2 if many else 0.0
    return low, float(stats.chi2.ppf(0.975, 2 * many + 2)) / 2
