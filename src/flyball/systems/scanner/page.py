"""Will this scanner fail within seven days?  Telemetry, event codes and work orders of a simulated fleet."""

from flyball import System, data, features, feedback, labels, model, monitoring, serving
from flyball.units import DAY, WEEK, YEAR, MiB, days, hours, ms

CHANNELS = {
    "if_power": "W",
    "co2_power": "kW",
    "chamber_voltage": "kV",
    "dose_error": "%",
    "energy_sigma": "%",
    "jitter": "um",
    "timing_jitter": "ns",
    "droplet_pressure": "bar",
    "missed_pulses": "ppm",
    "mirror_temp": "°C",
    "laser_gain": "1",
    "vacuum_pressure": "Pa",
    "water_vapour": "1",
    "vibration": "mm/s",
    "pump_current": "A",
    "pump_temp": "°C",
    "stage_deviation": "nm",
    "stage_current": "A",
    "reticle_deviation": "nm",
    "focus_error": "nm",
    "handler_cycle": "s",
    "handler_retries": "1",
    "water_temp": "°C",
    "water_flow": "l/min",
    "water_drop": "bar",
    "wafer_rate": "wph",
}
#: Channels that rise with wear, and those that fall.
RISES = (
    "co2_power", "chamber_voltage", "energy_sigma", "jitter", "timing_jitter", "droplet_pressure", "missed_pulses",
    "mirror_temp", "vacuum_pressure", "water_vapour", "vibration", "pump_current", "pump_temp", "stage_deviation",
    "stage_current", "reticle_deviation", "handler_cycle", "handler_retries", "water_drop",
)  # fmt: skip
FALLS = ("laser_gain", "water_flow")
WEAR = (*RISES, *FALLS)
#: Where to look for the first signs: at a day's highest value, or its lowest.
FURTHEST = {**dict.fromkeys(RISES, "max"), **dict.fromkeys(FALLS, "min")}
#: Warnings that a failing component gives before it stops.
WARNINGS = (
    *("DG-2A01", "DG-2A14", "DG-31C0", "LA-2203", "LA-24B1", "LA-3390", "WS-2011", "WS-2C40", "WS-3108"),
    *("VA-2107", "VA-2519", "VA-3A20", "VA-26E3", "VA-28F0", "VA-3C55", "RS-2042", "RS-2D17", "RS-38A6"),
    *("CW-2305", "CW-2718", "CW-3F01", "WH-2C03", "WH-2E70", "WH-3312"),
    # What software of the second dictionary calls eight of them, one by two names.
    *("DG-2A1A", "DG-2A1B", "LA-24B8", "VA-2187", "VA-3CD5", "WS-2CC0", "RS-20C2", "CW-2798", "WH-2EF0"),
)

#: Parts that stop a machine, as work orders name them.
PARTS = ("DGEN", "LASR", "VACP", "LEAK", "WSTG", "RSTG", "COOL", "HNDL")
#: How often each warning came in the last two days.
CODES = tuple(f"events.code.{code}.count.2d" for code in WARNINGS)

system = System(
    name="scanner",
    question="Will this scanner fail within seven days, one day from now on?",
    data=data.Fleet(
        key="machine",
        clock=data.WallClock(),
        tables=(
            data.Table("telemetry", columns=CHANNELS, arrives=hours(4), time="time", unique=("at",)),
            data.Table("events", columns={"code": "category"}, arrives=hours(1), time="time"),
            data.Table(
                "repairs",
                columns={"part": "category", "kind": "category", "failed": "bool", "swapped": "bool"},
                arrives=DAY,
                time="time",
            ),
        ),
        expect=(
            data.Missing("telemetry.vibration", at_most=0.05),
            data.Missing("telemetry.stage_current", at_most=0.05),
        ),
    ),
    features=features.AsOf(
        asked=features.Every(DAY),
        columns=(
            *(features.Rolling(f"telemetry.{name}", over=days(7), by="slope") for name in WEAR),
            *(features.Difference(f"telemetry.{name}", over=(days(7), days(28))) for name in WEAR),
            *(
                features.Departure(f"telemetry.{name}", over=DAY, against=days(14), by=by)
                for name, by in FURTHEST.items()
            ),
            *(features.Rolling(f"telemetry.{name}", over=DAY, by="mean") for name in CHANNELS),
            features.Since("repairs.part", each=PARTS),
            features.Count("events.code", over=(days(2), days(7)), each=WARNINGS),
        ),
    ),
    labels=labels.FailsWithin(
        WEEK,
        event="repairs.failed",
        gap=DAY,
        blackout=DAY,
        alive="telemetry",
        wait=days(3),
        censored_by="repairs.swapped",
    ),
    model=model.Contest(
        # A logistic curve over the number of warnings: on the folds better than one coefficient for every code.
        baseline=model.Threshold(columns=CODES),
        # What else must be beaten: codes one by one, replacement by age, control limits of every channel.
        peers={
            "codes": model.Chain(model.Log(CODES), model.Logistic(l2=3.0, columns=CODES)),
            "age_weibull": model.WeibullAge(
                tuple(f"repairs.part.{part}.since" for part in PARTS), within=7.0, gap=1.0
            ),
            "three_sigma": model.ThreeSigma(tuple(f"telemetry.{name}.mean.1d" for name in CHANNELS)),
        },
        challenger=model.BoostedTrees(
            trees=400,
            leaves=7,
            rate=0.01,
            min_rows=30,
            row_share=0.5,
            feature_share=0.3,
            columns=("telemetry.*.slope.*", "telemetry.*.change.*", "telemetry.*.less.*", "events.*"),
            monotone={
                "events.*": 1,
                **{f"telemetry.{name}.*": 1 for name in RISES},
                **{f"telemetry.{name}.*": -1 for name in FALLS},
            },
        ),
        choose=model.Rolling(folds=3, guard=days(11)),
        test=model.Latest(share=0.25, guard=days(11)),
        metrics=(
            "average_precision",
            "roc_auc",
            "log_loss",
            "brier",
            "event_recall_at_2_per_machine_year",
            "event_recall_at_6_per_machine_year",
            "event_recall_at_12_per_machine_year",
            "order_precision_at_6_per_machine_year",
            "median_lead_hours_at_6_per_machine_year",
            "low_lead_hours_at_6_per_machine_year",
            "net_saving_at_6_per_machine_year",
            "calibration_error",
            "reliability",
            "resolution",
            "uno_concordance",
            "ipcw_auc",
            "ipcw_brier",
            "ipcw_integrated_brier",
            "d_calibration",
        ),
        # Dollars: ten hours of lost output, four of planned time, two to look at a machine that is well.
        costs=model.Costs(unscheduled=720_000.0, scheduled=80_000.0, inspect=40_000.0),
        gates=(
            model.Beats("average_precision", by=0.02, against="all"),
            model.Latency(p99=ms(5)),
            model.Memory(MiB(75)),
            model.Agreement(at_most=1e-5),
        ),
        compress=(model.NativeTrees(),),
        ship=model.Refit(),
    ),
    serving=serving.Edge(
        decide=serving.Budget(alerts=2, per=DAY, lockout=WEEK),
        # One machine of each type in the canary, asked once a day: ten answers in three days are what can be had.
        rollout=serving.Staged(shadow=days(11), canary=0.05, hold=days(3), least=10),
        fallback="baseline",
    ),
    feedback=feedback.Outcomes("repairs.failed", wait=WEEK),
    monitoring=monitoring.Watch(
        drift=monitoring.Drift(
            over=WEEK, false_alarms=0.1, per=YEAR, reset=("repairs.part",), clocks=("telemetry",)
        ),
        concept=(monitoring.PageHinkley("log_loss"),),
        retrain=(monitoring.Weekly(), monitoring.OnAlarm()),
    ),
)
