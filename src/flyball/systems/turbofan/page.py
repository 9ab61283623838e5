"""How many flights has this engine left?  NASA's simulated C-MAPSS turbofans, four subsets in one model."""

from flyball import System, data, features, feedback, labels, model, monitoring, part, serving
from flyball.systems.turbofan.flights import Flights, TwinFlights
from flyball.systems.turbofan.harmonise import Harmonise
from flyball.systems.turbofan.learners import Calibrated, Engines, Reading
from flyball.systems.turbofan.windows import Inspected, Windows
from flyball.units import MiB, ms

#: Altitude (1000 feet), Mach number, throttle resolver angle (degrees).
SETTINGS = ("cycles.setting1", "cycles.setting2", "cycles.setting3")
#: The sensors that move; the other seven stand still in the one condition in which all subsets fly.
SENSORS = tuple(f"cycles.s{number}" for number in (2, 3, 4, 7, 8, 9, 11, 12, 13, 14, 15, 17, 20, 21))
SUBSET = "cycles.subset.last"
#: Where published figures cut the remaining life: an engine with more left is as good as new.
CUT = 125.0

LEVELS = ("mean.5", "mean.10", "mean.20", "mean.30", "mean.40", "mean.80", "mean.all", "mean.new")
SLOPES = ("slope.20", "slope.50")
HARMONISE = Harmonise(
    windows=("mean.5", "mean.10", "mean.20", "mean.40", "mean.80", "mean.all", "mean.new", *SLOPES),
    plain=("mean.10", "mean.30", "mean.all"),
)
#: Sensors standardised by condition, as they are.
STANDARDISE = Harmonise(plain=(*LEVELS, *SLOPES), ridge=None)

#: One net with two heads, the life cut at 125 and the whole life: found on folds of the training engines.
NET = Engines(
    model.Chain(
        HARMONISE,
        model.Dense(
            layers=(192, 96),
            drop=0.05,
            columns=("h.*", "z.*", "life.*", SUBSET),
            caps=(CUT, None),
            aside=0.3,
            training=model.Training(epochs=20, draw=150_000, batch=512, rate=2e-3, decay=1e-2),
        ),
    )
)
GROWN = model.BoostedTrees(
    trees=300,
    leaves=31,
    rate=0.05,
    min_rows=100,
    feature_share=0.3,
    row_share=0.6,
    l2=5.0,
    columns=("h.*", "z.*", "life.*", SUBSET),
)
TREES = Engines(model.Chain(HARMONISE, GROWN), cut=CUT)
#: The peers: LightGBM on the windows alone, with the same settings, and a recurrent net of one layer.
WINDOWS = model.Chain(STANDARDISE, part.replace(GROWN, columns=("z.*", "life.*", SUBSET)))
LSTM = Engines(
    model.Chain(
        STANDARDISE,
        model.Recurrent(
            "last",
            cell="lstm",
            units=48,
            width=32,
            kernel=1,
            drop=0.1,
            caps=(CUT, None),
            training=model.Training(epochs=6, draw=50_000, batch=256, rate=3e-3),
        ),
    )
)

system = System(
    name="turbofan",
    question="How many flights has this engine left?",
    data=data.Fleet(
        key="unit",
        clock=data.Counter("cycle"),
        tables=(
            data.Table(
                "cycles",
                columns={
                    "subset": "category",
                    "split": "category",
                    "inspected": "bool",
                    **{f"setting{number}": "number" for number in (1, 2, 3)},
                    **{f"s{number}": "number" for number in range(1, 22)},
                },
                unique=("at",),
            ),
            data.Table("truth", columns={"rul": "count"}, unique=("at",)),
        ),
        clean=(TwinFlights(SETTINGS[:2], split="cycles.split"),),
        expect=tuple(data.Missing(name, at_most=0.01) for name in (*SETTINGS, *SENSORS)),
    ),
    features=features.AsOf(
        asked=Inspected("cycles.inspected"),
        columns=(
            Windows(SENSORS, SETTINGS, means=(5, 10, 20, 30, 40, 80), slopes=(20, 50)),
            features.Sequence((*SENSORS, *SETTINGS), last=30, name="last"),
            features.Last("cycles.subset"),
        ),
    ),
    labels=labels.RemainingLife(of="cycles", given="truth.rul"),
    model=model.Contest(
        baseline=Engines(WINDOWS, cut=CUT),
        challenger=Calibrated(
            model.Blend((Reading(NET, (1.0,), high=CUT), TREES), weights=(0.9, 0.1)), cut=CUT
        ),
        peers={
            "lstm": Reading(LSTM, (1.0,), high=CUT),
            # The same three, asked for the whole life.
            "life": Calibrated(
                model.Blend((Reading(NET, (0.45 / 0.95, 0.5 / 0.95)), TREES), weights=(0.95, 0.05))
            ),
            "life_windows": Engines(WINDOWS),
            "life_lstm": Reading(LSTM, (0.0, 1.0)),
        },
        choose=Flights(SETTINGS[:2], share=0.2),
        test=model.Given("cycles.split"),
        metrics=(
            "rmse_cut_at_125",
            "mae_cut_at_125",
            "nasa_score_cut_at_125",
            "coverage_cut_at_125",
            "interval_width_cut_at_125",
            "rmse",
            "mae",
            "nasa_score",
            "coverage",
            "interval_width",
        ),
        slices=SUBSET,
        gates=(
            model.Beats("rmse_cut_at_125", by=0.0, on="rolling"),
            model.Beats("rmse_cut_at_125", by=0.0, on="test"),
            model.Latency(p99=ms(20)),
            model.Memory(MiB(96)),
            model.Agreement(at_most=1.0),
        ),
        compress=(model.Int8(),),
        ship=model.AsTested(),
    ),
    serving=serving.Edge(decide=serving.Below(20.0)),
    feedback=feedback.Outcomes(),
    # Cycles of different engines are no common clock, so there are no windows in which data could drift; the errors
    # of answers whose truth came are watched.
    monitoring=monitoring.Watch(
        concept=(monitoring.PageHinkley("absolute_error", limit=500.0, delta=2.0),),
        retrain=(monitoring.OnAlarm(),),
    ),
)
