"""One example of every final part, room by room: what the contracts are tested on.

To add a part: write one instance of it in the tuple of its room, with as many fields set as say something.  A part
that a room exports and that has no example here fails the build.  Features are computed, too, on the tables of
`test_features.py`: let them read columns of table "t" there ("t.x", "t.y", "t.on" numbers, "t.code" texts, "t.map"
an image).
"""

from flyball import data, evidence, features, feedback, labels, model, monitoring, serving, system
from flyball.units import MiB, days, hours, ms, steps


def newest(window):
    """A plain function that stands on a page."""
    return float(window["t.x"][-1]) if len(window["t.x"]) else float("nan")


EVIDENCE = (
    evidence.Alarm("drift", 3, 2.5, 1.0, ("vibration",), ("m1",), "since the service"),
    evidence.Act("3f2a90c1", "order", "m.jansen", 5, 6, order="WO-1881"),
    evidence.Alert("m1", 3, 0.9, 1, ("vibration",)),
    evidence.Exposure("m1", "nxe", "ab" * 32, "canary", 0, 9, answers=5, slow=1),
    evidence.Step("rollback", "canary", "slow answers on exe", 0.2, 0.05, ("exe",)),
    evidence.Measurement("average_precision", 0.21, 0.15, 0.28, n=198),
    evidence.Outcome("m1", 3, 0.5, 1.0, "known", until=9),
    evidence.Verdict("beats", 0.02, 0.01, True, "on 198 rows"),
)

TABLE = data.Table("t", columns={"x": "kW", "on": "bool"}, arrives=hours(1), unique=("at",))

DATA = (
    TABLE,
    data.Between("t.x", 0.0, 60.0, but=0.01),
    data.Binding("site-a", names={"t.x": "power"}, units={"t.x": "W"}, zone="Europe/Amsterdam"),
    data.Clip("t.x", 0.0, 60.0),
    data.Context("t", of="lots", columns=("product",), within=hours(1), orphans=0.02),
    data.Counter("cycle"),
    data.WallClock(),
    data.Fleet("machine", data.WallClock(), (TABLE,)),
    data.HoldGaps(hours(6), columns=("t.x",)),
    data.Images("t.map", size=(64, 64)),
    data.SameUnit("t.x", "kW", within=0.1),
    data.Layout(
        "{time} {machine} {code}: {text}", time="%b %d %H:%M:%S", fields={"code": "[A-Z]+"}, continues=" "
    ),
    data.Dictionary("v2", of="t.mode", since="2026-03-01T06:00", renamed={"a": "b"}, split={"c": ("d", "e")}),
    data.Query("t", "select id, x from t where id > :mark", mark="id"),
    data.Retention(at_most=MiB(20_480), rows=days(800), never=("t",)),
    data.Missing("t.x", at_most=0.02),
    data.Twins("t.map", split="t.part", label="t.code"),
)

FEATURES = (
    features.Age("t", per=hours(1)),
    features.AsOf(features.Every(days(1)), (features.Last("t.x"),)),
    features.Column(newest, of=("t.x",), over=days(4)),
    features.Count("t.code", over=(days(2), days(7)), each=("A", "B")),
    features.Departure("t.x", over=days(2), against=days(7), by="max"),
    features.Difference("t.x", over=(days(2), "first")),
    features.Each("t"),
    features.Every(days(1), of="t", within=days(3)),
    features.Image("t.map"),
    features.Last("t.code", at_most=days(5)),
    features.Rolling("t.x", over=(days(2), days(7)), by=("median", "mean", "slope", "count")),
    features.Sequence(("t.x", "t.y"), last=3, name="last rows"),
    features.Since("t.on"),
    features.Smooth("t.x", half_life=hours(12)),
)

LABELS = (
    labels.Classes(("none", "ring")),
    labels.Corrected(labels.Given("t.code", answer=labels.Classes(("A", "B"))), least=2, agree=0.75),
    labels.FailsWithin(days(7), event="t.on", gap=days(1), blackout=days(1), alive="t", wait=hours(6)),
    labels.Given("t.code", answer=labels.Classes(("A", "B"))),
    labels.Probability(),
    labels.Quantity("h", low=0.0, high=125.0),
    labels.RemainingLife(of="t", event="t.on", cap=steps(125)),
)

MODEL = (
    model.Agreement(at_most=1e-6),
    model.AsTested(),
    model.Beats("average_precision", by=0.02),
    model.Blend((model.Prior(), model.Logistic()), weights=(0.25, 0.75)),
    model.BoostedTrees(trees=50, monotone={"t.x.last": 1}, columns=("t.x.last",)),
    model.ByMachine(folds=3, seed=2),
    model.Candidates((model.Prior(), model.Logistic()), metric="log_loss"),
    model.Chain((model.Normalise(by="machine"), model.BoostedTrees(trees=10))),
    model.Conformal(model.Ridge(), coverage=0.8),
    model.Contest(model.Prior(), model.Logistic(), model.Rolling(), model.Latest(), ("log_loss",)),
    model.Conv("t.map", size=(16, 16), columns=("t.x.last",)),
    model.Cost(at_most=0.05),
    model.Costs(unscheduled=5000.0, scheduled=800.0, inspect=100.0),
    model.Dense(layers=(8, 4)),
    model.Distilled(model.Logistic(), rows=500),
    model.Encode("t.code.last", by="rate", prior=5.0),
    model.Flag("t.x.last", above=2.0),
    model.Given("t.part", train=("train",)),
    model.InTurn((model.Pruned(0.25), model.Int8())),
    model.Int8(rows=64),
    model.Latency(p99=ms(5)),
    model.Latest(share=0.25, guard=days(8)),
    model.Log(("t.x.*",), suffix=".log"),
    model.Logistic(l2=0.5),
    model.Memory(MiB(75)),
    model.Normalise(by="machine", robust=True),
    model.NativeTrees(),
    model.NotWorse("log_loss", than=0.01, per="t.code.last"),
    model.OpenVino("bf16"),
    model.Physics(low=0.0, high=1.0, monotone={"t.x.last": 1}),
    model.PositiveUnlabelled(model.Logistic(), folds=3),
    model.Prior(),
    model.Pruned(0.25, structured=False),
    model.Quantiles(points=11),
    model.Rate(by="t.code.last"),
    model.Recurrent("last rows", units=8),
    model.Refit(),
    model.Regimes(("t.x.last",), k=3),
    model.Ridge(l2=2.0),
    model.Rolling(folds=2, guard=days(7)),
    model.Size(MiB(1)),
    model.ThreeSigma(("t.x.*",), sigmas=2.5, enough=5),
    model.Threshold(("t.x.last",), by="sum"),
    model.Training(epochs=3),
    model.WithoutSuspects(model.Logistic(), folds=3),
    model.WeibullAge(("t.x.last",), within=7.0, gap=1.0, rounds=5),
)

SERVING = (
    serving.Below(0.2),
    serving.Budget(alerts=5, per=days(1), lockout=days(7)),
    serving.Edge(serving.Review(0.1), fallback="baseline"),
    serving.Review(0.1),
    serving.Staged(shadow=days(7), canary=0.05, hold=days(3)),
)

FEEDBACK = (
    feedback.Metrology("t.x", within=hours(2), after=hours(1), wait=days(1)),
    feedback.Outcomes("t.on", wait=days(7)),
    feedback.Review(per_day=5, by=("uncertain", "rare")),
    feedback.Reviewed(least=2, agree=0.75, ask=feedback.Review(per_day=3)),
    feedback.Several((feedback.Reviewed(), feedback.Outcomes())),
    feedback.WorkOrders("t.on", within=days(14), wait=days(3)),
)

MONITORING = (
    monitoring.Drift(over=days(7), false_alarms=2.0, per=days(365), clocks=("t",)),
    monitoring.Reconstruction(components=3),
    monitoring.MeanDiscrepancy(sample=64),
    monitoring.DomainClassifier(sample=64, learner=model.Logistic()),
    monitoring.Adwin("error", delta=0.01, clock=8, wait=4),
    monitoring.Ddm("error", limit=4.0, wait=20),
    monitoring.Kswin("error", alpha=0.001, window=60, newest=20, seed=3),
    monitoring.River("ADWIN", "error", {"delta": 0.01}, keep=300),
    monitoring.Performance(over=days(14), false_alarms=2.0, by=("machine",)),
    monitoring.OnAlarm(cooldown=days(1)),
    monitoring.OnLabels(at_least=50, cooldown=days(1)),
    monitoring.PageHinkley("log_loss", limit=20.0),
    monitoring.Watch(drift=monitoring.Drift(over=days(7)), retrain=(monitoring.Weekly(),)),
    monitoring.Weekly(),
)

SYSTEM = (
    system.System(
        "example",
        "Will it fail?",
        data.Fleet("machine", data.WallClock(), (TABLE,)),
        features.AsOf(features.Every(days(1)), (features.Last("t.x"),)),
        labels.FailsWithin(days(7), event="t.on"),
        model.Contest(model.Prior(), model.Logistic(), model.Rolling(), model.Latest(), ("log_loss",)),
        serving.Edge(serving.Review(0.1)),
        feedback.Outcomes(),
        monitoring.Watch(),
    ),
)

ROOMS = {
    "evidence": EVIDENCE,
    "data": DATA,
    "features": FEATURES,
    "labels": LABELS,
    "model": MODEL,
    "serving": SERVING,
    "feedback": FEEDBACK,
    "monitoring": MONITORING,
    "system": SYSTEM,
}
ALL = tuple(example for room in ROOMS.values() for example in room)
