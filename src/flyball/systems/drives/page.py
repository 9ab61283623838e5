"""Will this drive fail within seven days?  The daily SMART logs of a data centre."""

from flyball import System, data, features, feedback, labels, model, monitoring, serving
from flyball.systems.drives import parts
from flyball.units import DAY, WEEK, YEAR, MiB, days, ms

#: SMART attributes: 1 read errors, 5 reallocated sectors, 9 power-on hours, 194 temperature, 197 pending sectors.
READ_ERRORS, REALLOCATED, HOURS = "logs.smart_1_raw", "logs.smart_5_raw", "logs.smart_9_raw"
TEMPERATURE, PENDING = "logs.smart_194_raw", "logs.smart_197_raw"
MODEL = "logs.model.last"

#: Counts and hours, whose logarithm a linear model needs.
SKEWED = (
    f"{REALLOCATED}.last", f"{PENDING}.last", f"{REALLOCATED}.change.14d", f"{PENDING}.change.14d",
    f"{REALLOCATED}.rises.14d", f"{HOURS}.behind.1d", f"{HOURS}.behind.3d", f"{READ_ERRORS}.max.7d", f"{HOURS}.last",
)  # fmt: skip
#: What is usual differs by drive model.
BY_MODEL = (f"{READ_ERRORS}.max.7d", f"{REALLOCATED}.last", f"{TEMPERATURE}.last", f"{HOURS}.last")
#: More of it never makes a drive healthier.
WORSE = (
    f"{REALLOCATED}.last", f"{PENDING}.last", f"{REALLOCATED}.change.*", f"{PENDING}.change.*",
    f"{REALLOCATED}.rises.*", f"{PENDING}.rises.*", f"{HOURS}.behind.*", f"{MODEL}.rate",
)  # fmt: skip

LINEAR = model.Chain(
    model.Flag(f"{REALLOCATED}.last", above=0),
    model.Flag(f"{PENDING}.last", above=0),
    model.Flag(f"{REALLOCATED}.rises.14d", above=0),
    model.Flag(f"{HOURS}.last", below=500),
    model.Log(SKEWED),
    model.Normalise(by=MODEL, columns=BY_MODEL, prior=500, suffix=".by_model"),
    model.Encode(MODEL, prior=20, each="machine", log=True, folds=0),
    model.Logistic(
        l2=100,
        columns=(
            *SKEWED,
            f"{REALLOCATED}.last>0",
            f"{PENDING}.last>0",
            f"{REALLOCATED}.rises.14d>0",
            f"{HOURS}.last<500",
            f"{HOURS}.standstill",
            f"{TEMPERATURE}.change.7d",
            f"{MODEL}.rate",
            "*.by_model",
        ),
    ),
)
TREES = model.Chain(
    model.Encode(MODEL, prior=60, each="machine", log=True, folds=0),
    model.BoostedTrees(
        trees=150,
        leaves=3,
        rate=0.03,
        min_rows=5,
        min_weight=1.0,
        l2=5,
        bins=63,
        bin_rows=1,
        feature_share=0.5,
        row_share=0.7,
        negatives=0.08,
        seeds=5,
        monotone={**dict.fromkeys(WORSE, 1), "*.since_rise": -1},
        columns=(
            f"{REALLOCATED}.*",
            f"{PENDING}.*",
            f"{HOURS}.*",
            f"{READ_ERRORS}.max.7d",
            f"{TEMPERATURE}.change.7d",
            f"{MODEL}.rate",
        ),
    ),
)

system = System(
    name="drives",
    question="Will this drive fail within seven days?",
    data=data.Fleet(
        key="serial_number",
        clock=data.WallClock(),
        tables=(
            data.Table(
                "logs",
                columns={
                    "model": "category",
                    "capacity_bytes": "number",
                    "failure": "bool",
                    "smart_1_raw": "number",
                    "smart_5_raw": "number",
                    "smart_9_raw": "h",
                    "smart_194_raw": "°C",
                    "smart_197_raw": "number",
                },
                time="date",
                unique=("at",),
            ),
        ),
        expect=(data.Missing(HOURS, at_most=0.01), data.Missing(PENDING, at_most=0.01)),
    ),
    features=features.AsOf(
        asked=features.Every(DAY),
        columns=(
            features.Last("logs.model"),
            features.Last("logs.capacity_bytes"),
            *(features.Last(name) for name in (READ_ERRORS, REALLOCATED, HOURS, TEMPERATURE, PENDING)),
            *(parts.Change(name, over=(days(3), days(14))) for name in (REALLOCATED, PENDING)),
            *(parts.Rises(name, over=days(14)) for name in (REALLOCATED, PENDING)),
            *(parts.SinceRise(name, at_most=days(30)) for name in (REALLOCATED, PENDING)),
            parts.Behind(HOURS, over=(days(1), days(3))),
            parts.Standstill(HOURS, rows=5),
            features.Rolling(READ_ERRORS, over=WEEK, by="max"),
            parts.Change(TEMPERATURE, over=WEEK),
        ),
    ),
    labels=labels.FailsWithin(WEEK, event="logs.failure"),
    model=model.Contest(
        baseline=model.Threshold(columns=(f"{REALLOCATED}.last", f"{PENDING}.last")),
        challenger=model.Blend((LINEAR, TREES), weights=(0.7, 0.3), geometric=True),
        peers={
            # LightGBM as it comes, on the columns as they come.
            "plain_lightgbm": model.BoostedTrees(
                trees=100,
                leaves=31,
                rate=0.1,
                min_rows=20,
                columns=("logs.capacity_bytes.last", "logs.smart_*.last"),
            ),
        },
        choose=model.Rolling(folds=1, over=WEEK, guard=WEEK),
        test=model.Latest(span=WEEK, guard=WEEK),
        metrics=(
            "average_precision",
            "roc_auc",
            "recall_at_1_per_day",
            "recall_at_5_per_day",
            "recall_at_20_per_day",
            "event_recall_at_0.02_per_machine_year",
            "event_recall_at_0.1_per_machine_year",
            "event_recall_at_0.5_per_machine_year",
        ),
        gates=(
            model.Beats("average_precision", by=0.0, on="rolling", against="all"),
            model.Beats("average_precision", by=0.0, on="test", against="all"),
            model.Latency(p99=ms(5)),
            model.Memory(MiB(75)),
            model.Agreement(at_most=1e-5),
        ),
        ship=model.Refit(),
    ),
    serving=serving.Edge(
        decide=serving.Budget(alerts=5, per=DAY, lockout=WEEK),
        rollout=serving.Staged(shadow=days(8), canary=0.05, hold=days(3)),
        fallback="baseline",
    ),
    feedback=feedback.Outcomes("logs.failure", wait=DAY),
    monitoring=monitoring.Watch(
        drift=monitoring.Drift(over=WEEK, false_alarms=0.001, per=YEAR),
        concept=(monitoring.PageHinkley("log_loss"),),
        retrain=(monitoring.Weekly(), monitoring.OnAlarm()),
    ),
)
