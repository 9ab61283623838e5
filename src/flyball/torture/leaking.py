"""A trial of what cannot be known: a column that tells the answer before it happened fails the build."""

from __future__ import annotations

import random
from pathlib import Path

from flyball.torture.trial import Told, Trial

PAGE = """System(
    name='planted', question='Will this machine fail within three days?',
    data=data.Fleet(
        key='machine', clock=data.WallClock(),
        tables=(
            data.Table('telemetry', columns={'vibration': 'mm/s', 'ticket': 'number'}, unique=('at',)),
            data.Table('repairs', columns={'failed': 'bool'}),
        ),
    ),
    features=features.AsOf(
        asked=features.Every(days(1)),
        columns=(
            features.Last('telemetry.vibration', at_most=days(2)), features.Last('telemetry.ticket', at_most=days(2)),
        ),
    ),
    labels=labels.FailsWithin(days(3), event='repairs.failed'),
    model=model.Contest(
        baseline=model.Prior(), challenger=model.Logistic(), choose=model.Rolling(folds=2, guard=days(3)),
        test=model.Latest(share=0.25, guard=days(3)), metrics=('average_precision',), gates=(),
    ),
    serving=serving.Edge(decide=serving.Budget(alerts=2, per=days(1), lockout=days(7))),
    feedback=feedback.Outcomes('repairs.failed', wait=days(3)),
    monitoring=monitoring.Watch(drift=None, concept=(), retrain=(monitoring.Weekly(),)),
)"""
MACHINES, DAYS = 12, 50


def planted(seed: int, folder: Path, sabotage: str = "") -> Told:
    """Plant a column that is 1 where the machine will fail within three days; with `sabotage` it is not looked for."""
    from flyball import errors, system
    from flyball.runtime import leaks, run

    _write(folder / "in", seed)
    page, looks = system.read(PAGE), leaks.alone
    if sabotage == "look":
        leaks.alone = lambda page, x, y: None
    try:
        run.run(page, run.Bound(folder / "store", folder / "in"))
    except errors.LeakError as error:
        named = "telemetry.ticket.last" in str(error)
        return Told(named, 0.0, 0, "" if named else f"another column is named: {error}")
    finally:
        leaks.alone = looks
    return Told(False, 0.0, 0, "a column that knows the future was learned from")


def _write(folder: Path, seed: int) -> None:
    import numpy as np

    rng, first = random.Random(seed), np.datetime64("2026-01-01")
    telemetry, repairs = ["machine,at,vibration,ticket"], ["machine,at,failed"]
    for machine in range(MACHINES):
        fails = {day for day in range(DAYS) if rng.random() < 0.08}
        repairs += [f"m{machine},{first + day}T12:00:00,true" for day in sorted(fails)]
        for day in range(DAYS):
            # Asked at the midnight after: does it fail on one of the three days from then on?
            soon = any(day + ahead in fails for ahead in (1, 2, 3))
            telemetry.append(f"m{machine},{first + day}T23:00:00,{rng.gauss(2, 0.5):.3f},{int(soon)}")
    folder.mkdir(parents=True)
    (folder / "telemetry.csv").write_text("\n".join(telemetry) + "\n")
    (folder / "repairs.csv").write_text("\n".join(repairs) + "\n")


TRIALS = (Trial("R23", "a planted column that sees the future", planted),)
