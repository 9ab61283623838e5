"""The log scan beside polars, duckdb, pandas and ripgrep: ERROR lines of half a gigabyte counted by code and hour.

Each peer has a process of its own in which it may use one thread, and takes turns with ours there. Seconds are those
of the processor, system calls included, for a log that lies in the page cache.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import sidebyside

LIBRARIES = ("duckdb", "numpy", "pandas", "polars")
GIGABYTES = 0.5
LINE_BYTES = 118
GOALS = {"polars": 1 / 5, "duckdb": 1 / 8, "pandas": 1 / 22}
CASE = "log scan, ERROR lines by code x hour"
HOWS = {
    "polars": "polars scan_csv, filter, extract, group_by",
    "duckdb": "duckdb read_csv, filter, regexp_extract, group by",
    "pandas": "pandas str operations, a 20th of the lines, by lines",
}
SAMPLE = 20
"""pandas is given every so many lines, and its time is taken as many times."""

Table = dict[tuple[str, str], int]


def rows() -> list[dict[str, Any]]:
    """Compare tables, then times, peer by peer; then ripgrep, which only counts lines, and our own other doors."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "scanner.log"
        size = write(log)
        table = [_against(peer, log) for peer in GOALS]
        ours = sidebyside.cpu_seconds(lambda: _scan(log), runs=9, warm=False)
        rate = sidebyside.row(f"{CASE}, one core", size / ours / 1e9, None, "", "GB/s", 2.4, lower=False)
        table += [rate, *_ripgrep(log)]
        table += [_choice(log, "all levels apart", by=("hour", "code", "level"))]
        table += [_choice(log, "memory-mapped", mapped=True)]
        return table + _paths(log)


def write(log: Path) -> int:
    """Write a week of a scanner fleet's lines, in the order of time; return the bytes."""
    import numpy as np

    texts = (
        b"stage lost lock", b"lens heating drift over limit", b"wafer clamp pressure low", b"reticle load retried",
        b"interferometer signal weak on axis", b"dose control off target, compensated", b"chuck exchange slow",
    )  # fmt: skip
    rng = np.random.default_rng(0)
    lines = int(GIGABYTES * 1e9 / LINE_BYTES / 7)
    at = np.sort(rng.integers(0, 86_400_000, lines)).astype("m8[ms]") + np.datetime64(
        "2026-03-01T00:00:00.000"
    )
    level = rng.choice(4, lines, p=(0.05, 0.6, 0.15, 0.2))
    columns = (
        at.astype("S23"),
        level,
        np.minimum(rng.geometric(0.03, lines), 99),
        rng.integers(0, 10**9, lines),
    )
    made = []
    for stamp, which, code, value in zip(*(column.tolist() for column in columns), strict=True):
        name = (b"DEBUG", b"INFO", b"WARN", b"ERROR")[which]
        line = b"%bZ SCN%04d %b E-%d %b value=%d lot=L%06d wafer=%02d" % (
            stamp, value % 400, name, 4000 + code, texts[value % 7], value, value % 777_777, value % 25,
        )  # fmt: skip
        made.append(line + (b" slot=%d retry=%d" % (value % 9, value % 3) if value % 3 else b""))
    day = b"\n".join(made) + b"\n"
    with log.open("wb") as file:
        return sum(
            file.write(day.replace(b"2026-03-01T", b"2026-03-0%dT" % number)) for number in range(1, 8)
        )


def _scan(source: Any, **choice: Any) -> Any:
    from flyball import kernels

    return kernels.scan_log(source, kernels.LogLayout(code="A-9"), **{"only": ("ERROR",), **choice})


def _table(counts: Any) -> Table:
    hours = [str(hour)[:13] for hour in counts.columns()["hour"]]
    return dict(zip(zip(hours, counts.code.tolist(), strict=True), counts.count.tolist(), strict=True))


def _polars(log: Path) -> Any:
    import polars as pl

    line = pl.col("line")
    lines = pl.scan_csv(log, has_header=False, separator="\x01", quote_char=None, schema={"line": pl.String})
    return (
        lines.filter(line.str.contains(" ERROR ", literal=True))
        .select(hour=line.str.slice(0, 13), code=line.str.extract(r"^\S+ \S+ ERROR (\S+) ", 1))
        .group_by("hour", "code")
        .len()
        .collect()
    )


def _duckdb(log: Path) -> Any:
    import duckdb

    told = r"""
        SELECT line[1:13] AS hour, regexp_extract(line, '^\S+ \S+ ERROR (\S+) ', 1) AS code, count(*) AS count
        FROM read_csv(?, columns={'line': 'VARCHAR'}, delim='\x01', header=false, quote='', escape='',
                      auto_detect=false)
        WHERE contains(line, ' ERROR ') GROUP BY ALL
    """.replace(r"\x01", "\x01")
    with duckdb.connect(config={"threads": 1}) as connection:
        return connection.execute(told, [str(log)]).fetchnumpy()


def _pandas(log: Path) -> Any:
    import pandas

    lines = pandas.Series(log.read_text().splitlines())
    lines = lines[lines.str.contains(" ERROR ", regex=False)]
    code = lines.str.extract(r"^\S+ \S+ ERROR (\S+) ", expand=False)
    return lines.groupby([lines.str[:13].rename("hour"), code.rename("code")]).size()


PEERS: dict[str, tuple[Callable[[Path], Any], Callable[[Any], Table]]] = {
    "polars": (_polars, lambda frame: {(hour, code): count for hour, code, count in frame.rows()}),
    "duckdb": (
        _duckdb,
        lambda got: dict(zip(zip(got["hour"], got["code"], strict=True), got["count"].tolist(), strict=True)),
    ),
    "pandas": (_pandas, lambda series: series.to_dict()),
}


def _against(peer: str, log: Path) -> dict[str, Any]:
    """Return a comparison that was taken in a process of its own."""
    command = [sys.executable, "-m", __name__, peer, str(log)]
    env = {**os.environ, "POLARS_MAX_THREADS": "1"}
    ours, theirs = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, env=env).stdout)
    return sidebyside.row(CASE, ours, theirs, HOWS[peer], "s", GOALS[peer])


def _turns(peer: str, log: Path, runs: int = 5) -> tuple[float, float]:
    """Return the median processor seconds of both, once both have given the same table."""
    theirs_log, times = log, 1
    if peer == "pandas":
        theirs_log, times = log.with_suffix(".sample"), SAMPLE
        with log.open("rb") as whole:
            theirs_log.write_bytes(
                b"".join(line for number, line in enumerate(whole) if number % SAMPLE == 0)
            )
    work, table = PEERS[peer]
    if _table(_scan(theirs_log)) != table(work(theirs_log)):
        raise AssertionError(f"{peer} and the scan do not give the same table: no time is taken")
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(runs):
        taken[0].append(sidebyside.cpu_seconds(lambda: _scan(log), runs=1, warm=False))
        taken[1].append(times * sidebyside.cpu_seconds(lambda: work(theirs_log), runs=1, warm=False))
    return statistics.median(taken[0]), statistics.median(taken[1])


def _ripgrep(log: Path) -> list[dict[str, Any]]:
    """Return the row against ripgrep, or none where it is not installed, which is then said."""
    if shutil.which("rg") is None:
        print("NOT RUN: no rg here, so the row against ripgrep is left out", file=sys.stderr)
        return []
    command = ["rg", "-c", "--threads", "1", " ERROR ", str(log)]

    def theirs() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        found = int(subprocess.run(command, check=True, capture_output=True).stdout)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if found != _scan(log).count.sum():
            raise AssertionError("rg does not count as many lines: no time is taken")
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    pairs = [(sidebyside.cpu_seconds(lambda: _scan(log), runs=1, warm=False), theirs()) for _ in range(7)]
    ours, others = (statistics.median(times) for times in zip(*pairs, strict=True))
    return [sidebyside.row(CASE, ours, others, "rg -c ' ERROR ', which only counts the lines", "s", 1.0)]


def _choice(log: Path, told: str, mapped: bool = False, **choice: Any) -> dict[str, Any]:
    import numpy as np

    choice = choice if mapped else {"only": (), **choice}
    took = sidebyside.cpu_seconds(
        lambda: _scan(np.memmap(log, np.uint8, "r") if mapped else log, **choice), warm=False
    )
    return sidebyside.row(f"log scan, {told}", log.stat().st_size / took / 1e9, None, "", "GB/s", None)


def _paths(log: Path) -> list[dict[str, Any]]:
    """Return a row for each plainer path; the twin is given few lines."""
    with log.open("rb") as file:
        begin = memoryview(file.read(2**26))

    def work(many: int) -> None:
        _scan(begin[: many * LINE_BYTES])

    return sidebyside.each_path(CASE, work, len(begin) // LINE_BYTES, 20_000, "ns/line")


if __name__ == "__main__":
    print(json.dumps(_turns(sys.argv[1], Path(sys.argv[2]))))
