"""Which failure pattern does this wafer map show?  Nine classes, on the public WM-811K maps."""

from flyball import System, data, features, feedback, labels, model, monitoring, serving
from flyball.systems.wafer.zones import Zones
from flyball.units import MiB, ms

CLASSES = ("Center", "Donut", "Edge-Loc", "Edge-Ring", "Loc", "Near-full", "Random", "Scratch", "None")
#: Grown on what an engineer looks at; found on the val split, as everything here was.
TREES = model.BoostedTrees(
    trees=240,
    leaves=31,
    rate=0.06,
    min_rows=60,
    feature_share=0.15,
    row_share=0.8,
    l2=5.0,
    bins=63,
    balance=0.25,
)
#: Looks at the map itself: the share of failed dies and of dies in every cell.
NET = model.Conv(
    "maps.map",
    size=(40, 40),
    channels=((2,), (1, 2)),
    turned=True,
    training=model.Training(
        epochs=9,
        draw=24_000,
        batch=128,
        rate=3e-3,
        decay=2e-2,
        balance=0.5,
        smooth=0.02,
        average=0.998,
    ),
)

system = System(
    name="wafer",
    question="Which failure pattern does this wafer map show?",
    data=data.Fleet(
        key="wafer",
        clock=None,
        tables=(
            data.Table("maps", columns={"split": "category", "label": "category", "map": "image"}, time=None),
        ),
        clean=(data.Twins("maps.map", split="maps.split", label="maps.label"),),
    ),
    features=features.AsOf(
        asked=features.Each("maps"),
        columns=(Zones("maps.map"), features.Image("maps.map")),
    ),
    labels=labels.Given("maps.label", answer=labels.Classes(CLASSES)),
    model=model.Contest(
        baseline=TREES,
        challenger=model.Blend((TREES, NET)),
        choose=model.Given("maps.split", test=("val",)),
        test=model.Given("maps.split", test=("test",)),
        metrics=(
            "macro_f1",
            "accuracy",
            "log_loss",
            *(f"recall.{name}" for name in CLASSES),
            *(f"precision.{name}" for name in CLASSES),
        ),
        gates=(
            model.Beats("macro_f1", by=0.0),
            model.Latency(p99=ms(5)),
            model.Memory(MiB(128)),
            model.Agreement(at_most=0.1),
        ),
        compress=(model.Int8(),),
        ship=model.AsTested(),
    ),
    serving=serving.Edge(decide=serving.Review(share=0.05)),
    feedback=feedback.Outcomes(),
    monitoring=monitoring.Watch(),
)
