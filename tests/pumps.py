"""A small fleet of pumps for whole runs in seconds: twelve machines, sixty days, and a page that asks about them."""

import pathlib

import numpy as np

PAGE = '''"""Will this pump fail within three days?"""

from flyball import System, data, features, feedback, labels, model, monitoring, serving
from flyball.units import DAY, WEEK, YEAR, MiB, days, ms

system = System(
    name="pumps",
    question="Will this pump fail within three days?",
    data=data.Fleet(
        key="machine",
        clock=data.WallClock(),
        tables=(
            data.Table("telemetry", columns={"vibration": "mm/s", "current": "A"}, time="time", unique=("at",)),
            data.Table("repairs", columns={"failed": "bool"}, time="time"),
        ),
    ),
    features=features.AsOf(
        asked=features.Every(DAY),
        columns=(
            features.Last("telemetry.vibration"),
            features.Last("telemetry.current"),
            features.Rolling("telemetry.vibration", over=days(3), by="mean"),
        ),
    ),
    labels=labels.FailsWithin(days(3), event="repairs.failed"),
    model=model.Contest(
        baseline=model.Prior(),
        challenger=model.Logistic(),
        choose=model.Rolling(folds=2, guard=days(3)),
        test=model.Latest(share=0.25, guard=days(3)),
        metrics=("average_precision", "log_loss"),
        gates=(model.Beats("average_precision", by=0.0), model.Latency(p99=ms(500)), model.Memory(MiB(200))),
    ),
    serving=serving.Edge(decide=serving.Budget(alerts=2, per=DAY, lockout=WEEK)),
    feedback=feedback.Outcomes("repairs.failed", wait=days(3)),
    monitoring=monitoring.Watch(
        drift=monitoring.Drift(over=WEEK, false_alarms=2, per=YEAR),
        concept=(monitoring.PageHinkley("log_loss"),),
        retrain=(monitoring.Weekly(), monitoring.OnAlarm()),
    ),
)
'''


def write(folder: pathlib.Path, machines: int = 12, days: int = 60) -> None:
    """Write telemetry.csv and repairs.csv: vibration tells the wear, which ends in a failure."""
    rng = np.random.default_rng(0)
    telemetry, repairs = ["machine,time,vibration,current"], ["machine,time,failed"]
    for number in range(machines):
        wear = rng.random()
        for day in range(days):
            date = np.datetime64("2026-01-01") + day
            wear += 0.08 * rng.random()
            values = f"{1 + wear + 0.2 * rng.normal():.4f},{3 + rng.normal():.4f}"
            telemetry.append(f"m{number:02d},{date}T06:00:00,{values}")
            if wear > 1.5 and rng.random() < 0.5:
                repairs.append(f"m{number:02d},{date}T12:00:00,true")
                wear = 0.0
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "telemetry.csv").write_text("\n".join(telemetry) + "\n")
    (folder / "repairs.csv").write_text("\n".join(repairs) + "\n")
