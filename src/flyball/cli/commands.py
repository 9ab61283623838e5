"""What each command does; every one of them is a few calls into the house."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flyball import errors, systems
from flyball.cli import alerts, given, keys, mlflow, shown, wheels

if TYPE_CHECKING:
    from flyball.runtime.contest import Ceiling
    from flyball.runtime.run import Bound

app = typer.Typer(
    name="flyball", no_args_is_help=True, add_completion=True, pretty_exceptions_enable=False,
    help="Machine learning for a fleet of machines: from the sensor to the edge and back.",
)  # fmt: skip

app.add_typer(keys.app, name="keys")
app.add_typer(mlflow.app, name="mlflow")
app.add_typer(wheels.app, name="wheels")
app.add_typer(alerts.app, name="alerts")

Page = Annotated[str, typer.Argument(help="A Python file with `system = System(...)`, or a ready-made page.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Folder = Annotated[Path | None, typer.Option("--from", help="The folder with the files that the fleet sent.")]
StoreAt = Annotated[Path, typer.Option("--store", help="The folder that holds everything.")]
BindingAt = Annotated[
    Path | None, typer.Option("--binding", help="The site's names, units and time zone; a folder of several.")
]
Cut = Annotated[
    str | None, typer.Option("--as-of", help="Know only what was seen by this date or time (UTC).")
]
Seed = Annotated[int, typer.Option(help="The seed of everything random.")]
HERE = Path("var")


def _version(asked: bool) -> None:
    if asked:
        import flyball

        print(f"flyball {flyball.__version__}")
        raise typer.Exit


@app.callback()
def flyball_(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """Machine learning for a fleet of machines: from the sensor to the edge and back."""


@app.command()
def check(page: Page, as_json: Json = False) -> int:
    """List every problem of a page before anything runs; exit 2 if there is one."""
    system = systems.load(page)
    problems = list(system.problems())
    told = {
        "system": system.name, "fingerprint": system.fingerprint(),
        "problems": [{"place": p.place, "what": p.what, "fix": p.fix} for p in problems],
    }  # fmt: skip

    def lines() -> Iterator[str]:
        yield f"{system.name}: {system.question}"
        yield from (f"  {problem}" for problem in problems)
        yield f"  {len(problems)} problem(s), fingerprint {told['fingerprint'][:12]}"

    shown.say(told, as_json, lines)
    return 2 if problems else 0


@app.command()
def init(
    like: Annotated[str, typer.Argument(help="The ready-made page to begin with.")],
    target: Annotated[Path, typer.Argument(help="The file to write.")],
    source: Folder = None,
    as_json: Json = False,
) -> None:
    """Begin a page of your own from a ready-made one, and bind it to your files."""
    from flyball.cli import begin

    told = begin.page(like, target, source)
    shown.say(told, as_json, lambda: begin.lines(told))


@app.command()
def prepare(
    page: Annotated[str, typer.Argument(help="A ready-made page.")],
    out: Annotated[Path, typer.Option("--out", help="The folder to write the files into.")],
    as_json: Json = False,
) -> None:
    """Write the files that the fleet of a ready-made page would send, from public data or a simulation."""
    _prepare(page, out)
    files = sum(1 for file in out.rglob("*") if file.is_file())
    shown.say(
        {"page": page, "out": str(out), "files": files},
        as_json,
        lambda: iter([f"{page}: {files} files in {out}"]),
    )


@app.command()
def ingest(
    page: Page,
    source: Annotated[
        str | None, typer.Option("--from", help="The folder with the files, or s3://BUCKET/PREFIX.")
    ] = None,
    store: StoreAt = HERE, binding: BindingAt = None,
    watch: Annotated[
        str | None, typer.Option(help="Take in what comes: a folder, s3://, mqtt://, postgresql://, sqlite://, odbc:.")
    ] = None,
    every: Annotated[float, typer.Option(help="Watch: seconds between two looks.")] = 5.0,
    seconds: Annotated[
        float, typer.Option("--for", help="Watch: end after so many; 0 goes on until interrupted.")
    ] = 0.0,
    live: Annotated[
        bool, typer.Option("--live", help="Rows that do not say when were seen now, not their table's lag later.")
    ] = False,
    largest: Annotated[int, typer.Option(help="A file of more MiB, unpacked, is refused.")] = 1024,
    lot: Annotated[int, typer.Option(help="Watch: at most so many MiB of files make a commit.")] = 256,
    as_json: Json = False,
) -> int:  # fmt: skip
    """Take files in: good rows and quarantine in one durable act; a file that is in changes nothing."""
    from flyball.cli import landing
    from flyball.data import arrivals
    from flyball.runtime.store import Store

    system = systems.load(page).check()
    if watch is not None and source is not None:
        raise errors.DeclarationError("--from takes in what is there, --watch what lands: give one of them")
    place = watch if watch is not None else source
    if place is not None and (watch is not None or "://" in place or place.startswith("odbc:")):
        _placed(store, binding)
        return landing.watch(
            system.data, place, store, binding, every=every, seconds=seconds, live=live, largest=largest, lot=lot,
            as_json=as_json, once=watch is None,
        )  # fmt: skip
    folder = Path(source) if source is not None else None
    bound = _bound(page, folder, store, binding, None, 0, with_ceiling=False)
    if bound.source is None:
        raise errors.DeclarationError("nothing to take in: give --from the folder with the fleet's files")
    with shown.progress(as_json) as progress:
        kept = Store.open(store, system.data)
        receipt = kept.ingest(
            [bound.source], binding=bound.binding, progress=progress, live=live,
            limits=arrivals.Limits(file=largest << 20),
        )  # fmt: skip
    shown.say(receipt.json(), as_json, lambda: iter(receipt.lines()))
    return 0


@app.command()
def run(
    page: Page, source: Folder = None, store: StoreAt = HERE, binding: BindingAt = None, as_of: Cut = None,
    as_stored: Annotated[
        str | None, typer.Option("--as-stored", help="Use what the store held at the end of this day.")
    ] = None,
    seed: Seed = 0,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 when a gate or expectation fails.")] = False,
    drill: Annotated[
        str, typer.Option(help="On simulated sites: make the release slow on this kind of machine, and see it stopped.")
    ] = "",
    as_json: Json = False,
) -> int:  # fmt: skip
    """Carry a page through all seven stages; what is already computed is reused.

    The release of a page with simulated sites is taken out to them, through shadow, canary and waves.
    """
    from dataclasses import replace

    from flyball.cli import fleets
    from flyball.runtime import run as running

    system = systems.load(page).check()
    if as_stored is not None and source is not None:
        raise errors.DeclarationError("--as-stored looks back and takes nothing in: leave --from out")
    with shown.progress(as_json) as progress:
        bound = _bound(page, source, store, binding, as_of, seed)
        if as_stored is not None:
            bound = replace(bound, source=None, stored=given.moment(as_stored, "--as-stored", whole_day=True))
        found = running.run(system, replace(bound, progress=progress))
        told = found.json()
        rehearsed = fleets.rehearsed(page, found, store, drill, prepared=source is None)
        told["rollout"] = rehearsed
        if rehearsed is not None:
            running.redrawn(found)

    def lines() -> Iterator[str]:
        yield from shown.run_lines(told)
        yield from fleets.rollout_lines(rehearsed)
        yield f"  report: {store / 'report.html'}"

    shown.say(told, as_json, lines)
    out = rehearsed is None or rehearsed["running"] == rehearsed["machines"] or bool(drill)
    held = (
        told["release"] is not None
        and out
        and all(finding["passed"] for finding in told["data"]["expectations"])
    )
    return 1 if strict and not held else 0


@app.command()
def loop(
    page: Page, source: Folder = None, store: StoreAt = HERE, binding: BindingAt = None, seed: Seed = 0,
    every: Annotated[float, typer.Option(help="Seconds between two looks at the folder.")] = 60.0,
    rounds: Annotated[int, typer.Option(help="Stop after so many looks; 0 goes on until interrupted.")] = 0,
    fleet: Annotated[
        Path | None, typer.Option(help="Offer what it trains to this fleet, and follow the rollout.")
    ] = None,
    drop: Annotated[Path | None, typer.Option(help="The folder through which the fleet's machines tell.")] = None,
    tell: Annotated[
        list[str] | None,
        typer.Option(help="Tell alarms: an Alertmanager (http://…/api/v2/alerts), a webhook, a file; repeatable."),
    ] = None,
    gauges: Annotated[
        str | None, typer.Option(help="Figures for Prometheus: a port of the loopback, or a file ending in .prom.")
    ] = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Go round: take in what arrived, answer, alert, watch, train again when it is due, and roll out what passed."""
    from dataclasses import replace

    from flyball.cli import fleets, telling
    from flyball.runtime import loop as looping
    from flyball.runtime.store import Store

    system = systems.load(page).check()
    with (
        shown.progress(as_json) as progress,
        telling.Outlets(system.name, store, tell or [], gauges, every) as outlets,
    ):
        bound = replace(_bound(page, source, store, binding, None, seed), progress=progress)
        if fleet is not None:
            bound = replace(bound, fleet=fleets.following(fleet, drop))
            # So that `why` and the report of this store tell what became of its releases there.
            Store.open(store, system.data).state("fleet", {"folder": str(fleet.resolve())})
        for told in looping.go(system, bound, every_s=every, rounds=rounds):
            told["untold"] = outlets.round(told)
            lines = [looping.line(told), *(f"  {why}" for why in told["untold"])]
            shown.say(told, as_json, functools.partial(iter, lines))


@app.command()
def review(
    page: Page,
    which: Annotated[str | None, typer.Argument(help="The question: the start of its id.")] = None,
    label: Annotated[str | None, typer.Argument(help="What is said of it: yes, no, or a class.")] = None,
    store: StoreAt = HERE,
    who: Annotated[str | None, typer.Option(help="Who says so; else the user of this machine.")] = None,
    take: Annotated[Path | None, typer.Option(help="A CSV of labels: id, label, who.")] = None,
    as_json: Json = False,
) -> None:
    """List the questions that are worth a look, suspected labels first, and take what is said of them."""
    from flyball.cli import review as reviews

    told = reviews.go(page, store, which, label, who, take)
    shown.say(told, as_json, lambda: reviews.lines(told))


@app.command()
def ship(
    fleet: Annotated[Path, typer.Argument(help="The folder of the fleet (`flyball keys init`).")],
    what: Annotated[str | None, typer.Argument(help="The release: its folder, or its digest in --store.")] = None,
    store: StoreAt = HERE,
    why: Annotated[str, typer.Option(help="Why it goes out: stands in the audit.")] = "",
    drop: Annotated[Path | None, typer.Option(help="The folder through which machines tell.")] = None,
    bundle: Annotated[Path | None, typer.Option(help="Write the signed set as one file, to be carried.")] = None,
    evidence: Annotated[Path | None, typer.Option(help="Take in a machine's signed file that was carried.")] = None,
    receive: Annotated[str | None, typer.Option(help="Hear machines on HOST:PORT until it is told to end.")] = None,
    certificate: Annotated[Path | None, typer.Option(help="The certificate by which they know it.")] = None,
    key: Annotated[Path | None, typer.Option(help="The key of that certificate, of mode 0600.")] = None,
    tokens: Annotated[Path | None, typer.Option(help="A file of mode 0600 with a token a line: who may send.")] = None,
    every: Annotated[float, typer.Option(help="Seconds between two decisions while it hears.")] = 60.0,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Offer a release to a fleet, hear what machines told, and take the rollout as far as the evidence lets it go."""
    from flyball.cli import shipping

    if receive is not None:
        for found in shipping.receive(fleet, drop, receive, certificate, key, tokens, every):
            shown.say(found, as_json, functools.partial(shipping.lines, found))
        return
    told = shipping.go(fleet, what, store, why, drop, bundle, evidence)
    shown.say(told, as_json, lambda: shipping.lines(told))


@app.command()
def rollback(
    fleet: Annotated[Path, typer.Argument(help="The folder of the fleet.")],
    why: Annotated[str, typer.Option(help="Why: stands in the audit, and on every machine.")],
    as_json: Json = False,
) -> int:
    """Withdraw what is under way, or the newest wave: machines go back to what they ran before."""
    from flyball.cli import fleets

    order = fleets.Fleet(fleet).controller().roll_back(why)
    told = {"withdrawn": order.release if order else None, "why": why}
    said = f"version {order.version} ({order.release[:12]}…) withdrawn" if order else "nothing to withdraw"
    shown.say(told, as_json, lambda: iter([f"{fleet}: {said}: {why}"]))
    return 0 if order else 1


@app.command()
def edge(
    state: Annotated[Path, typer.Argument(help="The folder in which this machine keeps everything.")],
    mirror: Annotated[str, typer.Option("--from", help="Where updates come from: http(s)://, a folder, a bundle.")],
    root: Annotated[Path | None, typer.Option(help="First start: the site's root.json, brought by hand.")] = None,
    machine: Annotated[str | None, typer.Option(help="First start: the name of this machine.")] = None,
    kind: Annotated[str | None, typer.Option(help="First start: its kind, as the site's policy says.")] = None,
    page: Annotated[list[str] | None, typer.Option(help="First start: a page it answers; may be repeated.")] = None,
    drop: Annotated[Path | None, typer.Option(help="The folder through which it tells.")] = None,
    report: Annotated[str | None, typer.Option(help="The address it tells to (`ship --receive`).")] = None,
    ca: Annotated[Path | None, typer.Option(help="The certificate that servers are checked by.")] = None,
    token: Annotated[Path | None, typer.Option(help="A file of mode 0600 with the token for them.")] = None,
    every: Annotated[float, typer.Option(help="Seconds between two rounds.")] = 900.0,
    rounds: Annotated[int, typer.Option(help="End after so many rounds; 0 goes on until it is told to end.")] = 0,
    port: Annotated[int | None, typer.Option(help="Answer over HTTP on this port of the loopback.")] = None,
    cap: Annotated[int, typer.Option(help="MiB of results that are kept while nobody can be told.")] = 64,
    evidence: Annotated[Path | None, typer.Option(help="Write what it tells as one signed file.")] = None,
    rows: Annotated[Path | None, typer.Option(help="Score what arrives in this folder: CSV, JSON lines.")] = None,
    ring: Annotated[Path | None, typer.Option(help="Score the rows in this ring of shared memory.")] = None,
    binding: Annotated[Path | None, typer.Option(help="What this site calls the page's columns: its binding.")] = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Run the agent of a machine: poll, verify, install, check, switch, fall back, tell."""
    from flyball.cli import edge as edges

    told = edges.begin(state, root, machine, kind, page or [])
    secret = edges.secret(token) if token is not None else None
    for found in edges.go(
        state, mirror, told, drop=drop, ca=ca, token=secret, period_s=every, rounds=rounds, port=port, cap=cap << 20,
        evidence=evidence, rows=rows, ring=ring, binding=binding, report=report,
    ):  # fmt: skip
        shown.say(found, as_json, functools.partial(edges.lines, found))


@app.command()
def status(
    store: StoreAt = HERE,
    fleet: Annotated[
        Path | None, typer.Option(help="The folder of a fleet: its rollout and machines.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what a store holds: runs, releases, quarantine, and the last watch; of a fleet, what runs where."""
    from flyball.cli import fleets
    from flyball.runtime import look

    if fleet is not None:
        found = fleets.Fleet(fleet).status()
        shown.say(found, as_json, lambda: fleets.status_lines(found))
        return
    told = look.status(store)
    shown.say(told, as_json, lambda: look.status_lines(told))


@app.command()
def why(
    what: Annotated[
        str,
        typer.Argument(
            help="`release`, `alarm`, `rollout`, the name of an alarm or a machine, the start of a digest."
        ),
    ],
    store: StoreAt = HERE,
    fleet: Annotated[
        Path | None, typer.Option(help="The folder of a fleet; the store's simulated one.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say why: from which data, which features and verdicts, since when; of a rollout, by which evidence."""
    from flyball.cli import fleets
    from flyball.runtime import why as whys

    place = fleets.decided(what, store, fleet)
    if place is not None:
        found = fleets.why(place, what)
        shown.say(found, as_json, lambda: fleets.why_lines(found))
        return
    told = whys.why(store, what)
    shown.say(told, as_json, lambda: whys.lines(told))


@app.command()
def doctor(
    folder: Annotated[
        Path | None,
        typer.Argument(help="A folder of data that nobody documented, or a store.", metavar="DIR"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="With DIR: a file to write the proposed page into.")
    ] = None,
    store: StoreAt = HERE,
    as_json: Json = False,
) -> int:
    """Examine a folder of data and propose a page for it; a store, or nothing given, is examined for damage.

    Of a folder: types, units guessed with reasons, clocks, gaps, repeats, columns that know the answer, leaks between
    splits.  Of a store and this machine: extras, kernels, digests, logs, the audit chain, lost commits, orphaned runs.
    """
    from flyball.runtime import health

    if folder is not None and not health.is_store(folder):
        from flyball.cli import folders

        with shown.progress(as_json) as progress:
            found = folders.examined(folder, out, progress)
        shown.say(found, as_json, lambda: folders.lines(found))
        return 0 if found["tables"] or found["images"] else 3
    if out is not None:
        raise errors.DeclarationError(
            "--out writes what is proposed for a folder of data: name one, doctor DIR"
        )
    told = health.doctor(folder or store)
    shown.say(told, as_json, lambda: health.lines(told))
    return 0 if told["healthy"] else 3


@app.command()
def retain(
    page: Page, store: StoreAt = HERE,
    at_most: Annotated[
        int | None, typer.Option("--at-most", help="MiB that the store may have, instead of the page's.")
    ] = None,
    days: Annotated[int | None, typer.Option(help="Days that rows are kept, instead of the page's.")] = None,
    trial: Annotated[bool, typer.Option("--trial", help="Only say what would go.")] = False,
    as_json: Json = False,
) -> int:  # fmt: skip
    """Let go of the oldest that is beyond what the page keeps; never of what serves. Exit 1 when that holds more."""
    from flyball import data, units
    from flyball.runtime.store import Store

    system = systems.load(page).check()
    _placed(store, None)
    if not store.exists():
        raise errors.StoreError(f"no store at {store}: give --store the folder of one")
    rule = system.data.retain
    if at_most is not None or days is not None:
        never = rule.never if rule is not None else ()
        rule = data.Retention(
            at_most=None if at_most is None else units.MiB(at_most), never=never,
            rows=None if days is None else units.days(days),
        )  # fmt: skip
        for problem in rule.problems(system):
            raise errors.DeclarationError(str(problem))
    if rule is None:
        raise errors.DeclarationError(
            f"{page} keeps all of the past: say data.Fleet(retain=data.Retention(...)) on it, or give --at-most or "
            "--days"
        )
    kept = Store.open(store, system.data)
    kept.compact()
    told = kept.retain(rule, trial)
    shown.say(told.json(), as_json, told.lines)
    return 1 if told.held else 0


@app.command()
def torture(
    what: Annotated[str, typer.Argument(help="What is hurt: ingest, fleet.")] = "ingest",
    seed: Annotated[int | None, typer.Option(help="Only this seed: a failing one replays.")] = None,
    row: Annotated[list[str] | None, typer.Option(help="Only this row of the list (R1), may be repeated.")] = None,
    tier: Annotated[str, typer.Option(help="How many seeds: seconds (1), minutes (32), hours (320).")] = "seconds",
    out: Annotated[Path | None, typer.Option("--out", help="A file to write the table into, as JSON.")] = None,
    sabotage: Annotated[
        bool, typer.Option("--sabotage", help="fleet: break what each trial is about; every row must fail.")
    ] = False,
    as_json: Json = False,
) -> int:  # fmt: skip
    """Hurt it on purpose, here, and say whether what was promised is kept. Exit 1 when it is not."""
    import json

    from flyball.torture import fleet, ingest, trial

    if what not in ("ingest", "fleet"):
        raise errors.DeclarationError(
            f"no {what!r} to hurt, " + errors.did_you_mean(what, ["ingest", "fleet"])
        )
    if sabotage and what != "fleet":
        raise errors.DeclarationError(
            "--sabotage: the trials of ingest are broken on purpose by their tests only"
        )
    if tier not in trial.TIERS:
        raise errors.DeclarationError(f"no tier {tier!r}, " + errors.did_you_mean(tier, trial.TIERS))
    seeds = [seed] if seed is not None else list(range(trial.TIERS[tier]))
    with shown.progress(as_json) as progress:
        rows = (
            fleet.table(seeds, row or (), progress, sabotage)
            if what == "fleet"
            else ingest.table(seeds, row or (), progress)
        )
        told = {"tier": tier if seed is None else f"seed {seed}", **rows}
    if out is not None:
        out.write_text(json.dumps(told, indent=1) + "\n")
    shown.say(told, as_json, lambda: trial.lines(told))
    return 0 if all(one["passed"] == one["run"] for one in told["rows"]) else 1


@app.command()
def templates(
    logs: Annotated[list[Path], typer.Argument(help="Log files, plain or gzip.")],
    vary: Annotated[int, typer.Option(help="So many different words at one place make a gap.")] = 5,
    against: Annotated[
        Path | None, typer.Option(help="Templates that were written before: tell what is new, what is gone.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="A file to write the templates into, as JSON.")] = None,
    as_json: Json = False,
) -> None:
    """Mine the message templates of logs that nobody documented."""
    from flyball.cli import logs as reading

    told = reading.mined(logs, vary, against, out)
    shown.say(told, as_json, lambda: reading.lines(told))


@app.command()
def codes(
    logs: Annotated[list[Path], typer.Argument(help="Raw logs of the usual layout, or folders of them.")],
    out: Annotated[Path | None, typer.Option(help="A CSV to write hour, machine, code, count into.")] = None,
    renames: Annotated[bool, typer.Option("--renames", help="Look for codes that were renamed.")] = False,
    as_json: Json = False,
) -> None:
    """Count the codes of raw logs by hour and machine."""
    from flyball.cli import codes as reading

    told = reading.counted(logs, out, renames)
    shown.say(told, as_json, lambda: reading.lines(told))


@app.command()
def fab(
    preset: Annotated[str, typer.Option(help="tiny, laptop or paper.")] = "tiny",
    seed: Seed = 0,
    out: Annotated[Path | None, typer.Option("--out", help="The folder to write the files into.")] = None,
    machines: Annotated[int | None, typer.Option(help="So many machines instead of the preset's.")] = None,
    days: Annotated[int | None, typer.Option(help="So many days instead of the preset's.")] = None,
    mess: Annotated[bool, typer.Option("--mess/--clean", help="With what spoils data, or without.")] = True,
    live: Annotated[bool, typer.Option("--live", help="Let it live, and send what happens.")] = False,
    speed: Annotated[float, typer.Option(help="Live: so many times as fast as the clock.")] = 1.0,
    broker: Annotated[
        str | None, typer.Option(help="Live: send rows to this MQTT broker, HOST:PORT.")
    ] = None,
    ring: Annotated[str | None, typer.Option(help="Live: fast samples into rings PREFIX-MACHINE.")] = None,
    rate: Annotated[
        int,
        typer.Option(help="Live: frames a minute, up to 10,000, into the ring PREFIX-frames or into --out."),
    ] = 0,
    begin: Annotated[float, typer.Option(help="Live: begin with this day of the fleet's life.")] = 0.0,
    seconds: Annotated[
        float, typer.Option(help="Live: end after so many; 0 goes on until interrupted.")
    ] = 0.0,
    as_json: Json = False,
) -> None:
    """Write what the sites of a simulated fleet would send, the truth apart; or let it live before a broker."""
    from flyball import fab as simulated
    from flyball.cli import living
    from flyball.fab import folder

    fleet = simulated.Fab(preset, seed=seed, machines=machines, days=days, mess=mess)
    if live:
        told = living.go(
            fleet, speed=speed, broker=broker, ring=ring, rate=rate, out=out, begin=begin, seconds=seconds
        )
        return shown.say(told, as_json, lambda: living.lines(told))
    if out is None:
        raise errors.DeclarationError("fab: nowhere to write: give --out a folder, or --live")
    with shown.progress(as_json) as progress:
        told = folder.fill(fleet, out, progress)
    return shown.say(told, as_json, lambda: folder.lines(told))


@app.command()
def bench(
    name: Annotated[str, typer.Argument(help="A subject of benchmarks/.")],
    folder: Annotated[Path, typer.Option("--benchmarks", help="The folder that holds them.")] = Path(
        "benchmarks"
    ),
    out: Annotated[
        Path | None, typer.Option(help="The folder for the result; else benchmarks/results.")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="How long to stream, where the subject is a stream.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run ours and the peers side by side, equal results first, and write the figures."""
    from flyball.cli import benches

    told = benches.run(name, folder, out, minutes)
    shown.say(told, as_json, lambda: benches.lines(told))


def _bound(
    page: str, source: Path | None, store: Path, binding: Path | None, as_of: str | None, seed: int,
    with_ceiling: bool = True,
) -> Bound:  # fmt: skip
    """Bind a page to where things lie; a ready-made page without files gets those it is prepared with."""
    from flyball.data import bindings
    from flyball.runtime.run import Bound

    _placed(store, binding)
    inputs = systems.inputs(page)
    prepared = source is None and inputs is not None
    if prepared:
        source = store / "inbox"
        if not (source / ".prepared").exists():
            _prepare(page, source)
            (source / ".prepared").touch()
    if source is not None and not source.exists():
        raise errors.DataError(f"no folder {source}: give --from the folder with the fleet's files")
    ceiling_key: str = ""
    ceiling: Ceiling | None = None
    if with_ceiling and prepared and hasattr(inputs, "ceiling"):
        ceiling_key, ceiling = inputs.ceiling()  # type: ignore[union-attr]
    knows = ceiling is not None and hasattr(inputs, "severity")
    severity: Ceiling | None = inputs.severity() if knows else None  # type: ignore[union-attr]
    site = bindings.read(binding) if binding is not None else None
    return Bound(
        store, source, site, as_of=given.moment(as_of, "--as-of", whole_day=True), seed=seed, ceiling=ceiling,
        ceiling_key=ceiling_key, severity=severity,
    )  # fmt: skip


def _placed(store: Path, binding: Path | None) -> None:
    """Raise an error for a store that can be none, and for a binding that is not there."""
    if store.exists() and not store.is_dir():
        raise errors.StoreError(f"{store} is a file: give --store a folder, it is made if it is not there")
    if binding is not None and not binding.exists():
        raise errors.DeclarationError(f"no binding {binding}: `flyball init` writes one for a site's files")


def _prepare(page: str, out: Path) -> None:
    inputs = systems.inputs(page)
    if inputs is None:
        raise errors.DeclarationError(
            f"{page}: no input to prepare: give --from the folder with the fleet's files"
        )
    inputs.prepare(out)
