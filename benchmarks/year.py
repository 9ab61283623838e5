"""A year of weekly turns on a simulated fleet, unattended and killed at random: is the model kept as good as it can be?

Forty scanners of three sites send their files; after half a year of history the real loop goes round once a week in a
process of its own: ingest, answer, alerts, outcomes, watch, training where it is due, contest, gates, release, and the
rollout to simulated sites by real agents and signatures, which the loop follows.  One process in three is killed with
SIGKILL at a random moment, and begun again.  At 0.6 of the history droplet generators are replaced by a redesign that
wears otherwise: what signs of wear mean changes.

What answered each question is judged against what the fleet shows later, by average precision over four weeks, beside:
never retraining (the first model for ever), always retraining (each week's model at once, with no gate, shadow or
canary), and the oracle, which knows the whole hidden state.  Simulated: it shows the mechanism, and is no headline.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import sidebyside
from flyball import fab, features, model, monitoring, part, serving
from flyball.fab import fleet as fleets
from flyball.fab import lived
from flyball.model import metrics
from flyball.runtime import alerts, build, loop, plan
from flyball.runtime import run as running
from flyball.runtime.following import Following
from flyball.runtime.store import Store
from flyball.system import System
from flyball.systems.scanner import page as scanner
from flyball.units import DAY, WEEK, YEAR, days

FLEET = fab.Fab("laptop", seed=0, machines=40, days=545, every_h=6, mess=False)
#: Days of history before the year begins, weeks of the year, weeks over which precision is told.
BEFORE, WEEKS, SPAN = 181, 52, 4
#: So many of the machines stand at sites to which releases go out; each does a round every so many hours.
SITES, ROUND = 20, 84
#: One process in so many is killed.
KILLS = 3
HOUR_US = 3_600_000_000
CODES = tuple(f"events.code.{code}.count.7d" for code in scanner.WARNINGS)
SCANNER: System = scanner.system
PAGE = part.replace(
    SCANNER,
    name="year",
    features=features.AsOf(
        asked=features.Every(DAY),
        columns=(
            *(features.Rolling(f"telemetry.{name}", over=days(7), by="slope") for name in scanner.WEAR),
            *(
                features.Departure(f"telemetry.{name}", over=DAY, against=days(14), by=by)
                for name, by in scanner.FURTHEST.items()
            ),
            features.Count("events.code", over=WEEK, each=scanner.WARNINGS),
        ),
    ),
    model=model.Contest(
        baseline=model.Threshold(columns=CODES),
        challenger=model.BoostedTrees(
            trees=80, leaves=7, rate=0.05, min_rows=30, row_share=0.5, feature_share=0.3, monotone={"events.*": 1}
        ),
        choose=model.Rolling(folds=2, guard=days(11)),
        test=model.Latest(share=0.2, guard=days(11)),
        metrics=("average_precision", "log_loss"),
        gates=(model.Beats("average_precision", by=0.0),),
        ship=model.Refit(),
    ),
    serving=serving.Edge(
        decide=serving.Budget(alerts=2, per=DAY, lockout=WEEK),
        rollout=serving.Staged(shadow=days(11), canary=0.05, hold=days(3), least=10, disagreed=0.2),
    ),
    monitoring=monitoring.Watch(
        drift=monitoring.Drift(over=WEEK, false_alarms=2, per=YEAR),
        concept=(monitoring.PageHinkley("log_loss"),),
        retrain=(monitoring.Weekly(every=days(6)), monitoring.OnAlarm()),
    ),
)  # fmt: skip


def bound(folder: Path) -> running.Bound:
    """Bind the page to a folder: the inbox, the store, and the simulated sites that the loop follows."""
    from flyball.runtime import following

    drawn = fleets.plan(FLEET)
    kinds = {name: fleets.TYPES[kind].name for name, kind in zip(drawn.names, drawn.kind, strict=True)}
    kinds = dict(list(kinds.items())[:SITES])
    names = sorted(PAGE.features.names())
    import hashlib

    schema = hashlib.sha256(json.dumps(names).encode()).hexdigest()
    begin = fleets.START_US + BEFORE * 24 * HOUR_US
    sites: Following = lived.following(PAGE, folder / "store", kinds, begin, schema, every=ROUND)
    assert isinstance(sites, following.Following)
    return running.Bound(folder / "store", folder / "inbox", fleet=sites)


def turn(folder: Path) -> None:
    """Go round once; what this process is started for, and killed in."""
    running._report = lambda found, kept, steps: None  # nobody reads fifty-two reports
    told = loop.once(PAGE, bound(folder))
    print(json.dumps({
        "trained": told["trained"], "because": told["because"], "refused": told["refused"], "fleet": told["fleet"],
        "release": told["release"], "as_of": told["as_of"], "alarms": len(told["watch"].get("alarms", [])),
        "steps": [[s["name"], s["seconds"]] for s in told.get("steps", []) if s["seconds"] > 0.3],
    }))  # fmt: skip


def run() -> dict[str, Any]:
    """Live the year; return the precision of everybody, whole and by four weeks, and draw results/year.svg."""
    with tempfile.TemporaryDirectory() as place:
        folder, begun = Path(place), time.monotonic()
        turns, killed = lived_through(folder)
        took = (time.monotonic() - begun) / 60.0
        rows, at, truth, answers = answered(folder, turns)
        facts = counted(folder, turns, killed)
    facts.append({**sidebyside.row("the year took", took, None, "", "min", goal=None), "part": "loop"})
    served = BEFORE + 7 * next(week for week, told in enumerate(turns) if told["fleet"]["serving"])
    spans = [_span(at, truth, answers, number) for number in range(WEEKS // SPAN)]
    told = sidebyside.result(
        "year", ("numpy", "lightgbm", "polars"), [*_rows(rows, at, truth, answers, served), *facts]
    )
    draw(spans, Path(__file__).parent / "results" / "year.svg")
    return {**told, "redesign": _redesign() // (24 * HOUR_US), "spans": spans}


def lived_through(folder: Path) -> tuple[list[dict[str, Any]], int]:
    """Send week by week and let a process go round after each, killed now and then; return what each turn told."""
    sent, inbox = folder / "sent", folder / "inbox"
    fab.write(FLEET, sent, only=("telemetry", "events", "repairs"), with_truth=False)
    inbox.mkdir()
    rng, turns, killed = random.Random(0), [], 0
    for week in range(WEEKS):
        _send(sent, inbox, 0 if week == 0 else BEFORE + 7 * (week - 1), BEFORE + 7 * week)
        while True:
            after = rng.uniform(0.5, 9.0) if rng.random() < 1 / KILLS else None
            told = _process(folder, after)
            if told is not None:
                break
            killed += 1
        turns.append(told)
        print(f"week {week}: {told}", file=sys.stderr, flush=True)
    _send(sent, inbox, BEFORE + 7 * (WEEKS - 1), FLEET.size().days)
    Store.open(folder / "store", PAGE.data).ingest([inbox])
    return turns, killed


def _send(sent: Path, inbox: Path, since: int, until: int) -> None:
    for day in range(since, until):
        name = (datetime.fromtimestamp(fleets.START_US / 1e6, UTC) + timedelta(days=day)).date().isoformat()
        for table in ("telemetry", "events", "repairs"):
            if (file := sent / table / f"{name}.csv.gz").is_file():
                os.link(file, inbox / f"{table}-{name}.csv.gz")


def _process(folder: Path, after: float | None) -> dict[str, Any] | None:
    """Let a process go round; return what it told, or None where it was killed after so many seconds."""
    work = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.year", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        cwd=Path(__file__).parents[1], env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    try:
        out, problem = work.communicate(timeout=after)
    except subprocess.TimeoutExpired:
        work.send_signal(signal.SIGKILL)
        work.communicate()
        return None
    if work.returncode:
        raise RuntimeError(problem.decode()[-2000:])
    found: dict[str, Any] = json.loads(out)
    return found


def answered(
    folder: Path, turns: Sequence[Mapping[str, Any]]
) -> tuple[features.Moments, Any, Any, dict[str, Any]]:
    """Return the year's questions whose truth came, and everybody's answers to them, each by what served that week."""
    kept = Store.open(folder / "store", PAGE.data)
    x, _ = build.matrix(PAGE, kept, plan.Plan(kept))
    tables = build.tables(PAGE, kept, None, None, None)
    kind = PAGE.labels.kind()
    begin = fleets.START_US + BEFORE * 24 * HOUR_US
    x = x.take(np.flatnonzero(x.moments.at < begin + WEEKS * int(WEEK)))
    y = PAGE.labels.label(tables, x.moments, kept.horizon())
    week = (x.moments.at - begin) // int(WEEK)
    answers = {name: np.full(len(x), np.nan) for name in ("ours", "never", "always")}
    first = next(told["release"] for told in turns if told["release"])
    for number, told in enumerate(turns):
        mine = np.flatnonzero((week == number) & y.known)
        some = x.take(mine)
        serving = told["fleet"]["serving"]
        answers["ours"][mine] = _scorer(folder, serving or f"{first}/baseline").predict(some)
        answers["never"][mine] = _scorer(folder, first).predict(some)
        cut = begin + number * int(WEEK)
        then = x.take(np.flatnonzero(x.moments.at < cut))
        knew = PAGE.labels.label(tables, then.moments, cut)
        known = np.flatnonzero(knew.known)
        fitted = PAGE.model.challenger.fit(then.take(known), knew.take(known), kind, 0)
        answers["always"][mine] = fitted.predict(some)
    asked = np.flatnonzero(~np.isnan(answers["ours"]))
    moments = x.moments[asked]
    found = {name: values[asked] for name, values in answers.items()}
    found["oracle"] = fab.ceiling_where_known(
        FLEET, moments.names(), moments.at, int(DAY), int(WEEK), draws=48
    )
    return moments, moments.at, y.value[asked], found


def _scorer(folder: Path, digest: str) -> Any:
    from flyball.model import unpack
    from flyball.serving import release

    return unpack.unpack(release.read_packed(folder / "store" / "releases" / digest / "model"))


def counted(folder: Path, turns: Sequence[Mapping[str, Any]], killed: int) -> list[dict[str, Any]]:
    """Return what the loop did in the year, and what must not have happened however often it was killed."""
    from flyball import audit
    from flyball.runtime import health

    kept = Store.open(folder / "store", PAGE.data)
    log = audit.Audit(folder / "store" / "sites" / "controller" / "audit.jsonl")
    log.verify()
    acts = [(entry["act"], entry["told"].get("release", "")) for entry in log.entries()]
    shipped = [release for act, release in acts if act == "shipped"]
    raised = [one.id for one in alerts.lives(kept)]
    answers = kept.answers()
    served = [
        (key, at) for key, at, role in zip(
            answers.segments().tolist(), answers.at.tolist(), answers.words("role").texts(), strict=True
        ) if role == "serving"
    ]  # fmt: skip

    def count(case: str, value: float, goal: float | None = None) -> dict[str, Any]:
        row = sidebyside.row(case, value, None, "", "", goal=None)
        return {**row, "goal": goal, "met": None if goal is None else value == goal, "part": "loop"}

    return [
        count("turns", len(turns)),
        count("processes killed with SIGKILL", killed),
        count("trainings", sum(told["trained"] for told in turns)),
        count("trainings that the gates refused", sum(bool(told["refused"]) for told in turns)),
        count("releases offered to the fleet", len(shipped)),
        count("releases that came to serve it", sum(act == "promoted" for act, _ in acts)),
        count("releases rolled back", sum(act == "rolled back" for act, _ in acts)),
        count("releases offered twice", len(shipped) - len(set(shipped)), 0),
        count("alerts raised", len(raised)),
        count("alerts raised twice", len(raised) - len(set(raised)), 0),
        count("questions answered twice by what serves", len(served) - len(set(served)), 0),
        count("damage that `flyball doctor` finds", float(not health.doctor(folder / "store")["healthy"]), 0),
    ]


def _rows(
    moments: features.Moments, at: Any, truth: Any, answers: Mapping[str, Any], served: int
) -> list[dict[str, Any]]:
    """Return everybody's precision: of the whole year, since the day on which a first release served, and by design."""
    kind = PAGE.labels.kind()
    after = at >= fleets.START_US + _redesign()
    since = at >= fleets.START_US + served * 24 * HOUR_US
    called = {"never": "never retraining", "always": "always retraining", "oracle": "the oracle"}
    out = []
    for when, mine in (
        ("the whole year", np.ones(len(at), bool)),
        ("once a first release serves", since),
        ("from then to the redesign", since & ~after),
        ("after the redesign", after),
    ):
        rows = np.flatnonzero(mine)
        for name, peer_name in called.items() if len(rows) else ():
            gap = metrics.paired(
                "average_precision",
                kind,
                truth[rows],
                answers["ours"][rows],
                answers[name][rows],
                moments[rows],
            )
            ours, peer = (precision(truth[rows], answers[who][rows]) for who in ("ours", name))
            row = sidebyside.row(
                f"average precision, {when}: {gap.value:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]", ours, peer, peer_name,
                "", goal=None,
            )  # fmt: skip
            out.append({**row, "ratio": ours / peer, "part": "precision"})
    return out


def _span(at: Any, truth: Any, answers: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Return everybody's average precision over four weeks."""
    begin = fleets.START_US + BEFORE * 24 * HOUR_US + number * SPAN * int(WEEK)
    rows = np.flatnonzero((at >= begin) & (at < begin + SPAN * int(WEEK)))
    found = {name: round(precision(truth[rows], said[rows]), 4) for name, said in answers.items()}
    return {
        "since": datetime.fromtimestamp(begin / 1e6, UTC).date().isoformat(), "questions": len(rows),
        "events": int(truth[rows].sum()), **found,
    }  # fmt: skip


def precision(truth: Any, said: Any) -> float:
    """Return the average precision of some answers."""
    return float(metrics.measure("average_precision", PAGE.labels.kind(), truth, said))


def _redesign() -> int:
    """Return when the redesign comes, in microseconds of the fleet's life."""
    return int(fleets.plan(FLEET).redesign * HOUR_US)


def draw(spans: Sequence[Mapping[str, Any]], file: Path) -> None:
    """Draw everybody's precision over the year."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "flyball"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 3.6))
    week = [SPAN * (number + 0.5) for number in range(len(spans))]
    looks = {
        "oracle": ("#999999", ":"),
        "ours": ("#d1495b", "-"),
        "always": ("#00798c", "--"),
        "never": ("#3d405b", "-."),
    }
    names = {
        "oracle": "oracle",
        "ours": "the loop",
        "always": "always retraining",
        "never": "never retraining",
    }
    for name, (colour, line) in looks.items():
        axes.plot(
            week, [span[name] for span in spans], line, color=colour, label=names[name], marker="o", ms=3
        )
    axes.axvline((_redesign() / (24 * HOUR_US) - BEFORE) / 7, color="#bbbbbb", lw=1)
    axes.text(
        (_redesign() / (24 * HOUR_US) - BEFORE) / 7 + 0.3, 0.02, "redesign", color="#777777", fontsize=8
    )
    axes.set(xlabel="week", ylabel="average precision, four weeks", ylim=(0, 1), xlim=(0, WEEKS))
    axes.legend(frameon=False, fontsize=8, ncols=2)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.savefig(file, bbox_inches="tight", metadata={"Date": None})
    pyplot.close(figure)


if __name__ == "__main__":
    turn(Path(sys.argv[1]))
