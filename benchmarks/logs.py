"""Templates mined from 16 real logs: how many lines are grouped as people grouped them, against Drain.

Grouping accuracy (Zhu et al., "Tools and benchmarks for automated log parsing", ICSE 2019) counts a line only if its
group holds exactly the lines that it should.  Both miners get the text behind the header, as the data set gives it,
and one setting for all systems; drain3 is given our masks as well, and runs in an environment of its own (it pins old
libraries).  The rules of `data.templates` were written looking at the logs in LOOKED_AT; the other ten were counted
only.  Needs a package index for drain3, and FLYBALL_DATA.
"""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from benchmarks import sidebyside
from flyball import errors
from flyball.data import templates

LOOKED_AT = {"HPC", "Linux", "OpenStack", "Proxifier", "Spark", "Thunderbird"}
#: Drain's mean over the 16 systems, each with settings of its own, as published with the data set.
PUBLISHED = 0.865

PEER = """
import json, sys, time
from drain3 import TemplateMiner
from drain3.template_miner_config import TemplateMinerConfig
told = {}
for system, lines in json.load(open(sys.argv[1])).items():
    config = TemplateMinerConfig()
    config.profiling_enabled = False
    miner = TemplateMiner(config=config)
    begun = time.perf_counter()
    for line in lines:
        miner.add_log_message(line)
    found = [miner.match(line) for line in lines]
    told[system] = [None if one is None else one.cluster_id for one in found], time.perf_counter() - begun
json.dump(told, open(sys.argv[2], "w"))
"""


def run() -> dict[str, Any]:
    """Group every log by both, tell accuracy by system and on average, then lines per second."""
    logs = read()
    plain = peer({system: lines for system, (lines, _) in logs.items()})
    masked = peer({system: [mask(line) for line in lines] for system, (lines, _) in logs.items()})
    rows, took, figures = [], {}, {}
    for system, (lines, truth) in logs.items():
        begun = time.perf_counter()
        mined = templates.mine(lines)
        groups: list[Any] = [mined.match(line) for line in lines]
        took[system] = time.perf_counter() - begun
        figures[system] = [accuracy(truth, found) for found in (groups, plain[system][0], masked[system][0])]
        ours, default, with_masks = figures[system]
        for name, theirs in (("drain3", default), ("drain3 with our masks", with_masks)):
            rows.append(sidebyside.row(f"grouping accuracy, {system}", ours, theirs, name, "", None))

    def mean(systems: set[str], which: int) -> float:
        return sum(figures[system][which] for system in systems) / len(systems)

    every, others = set(logs), set(logs) - LOOKED_AT
    rows = [
        sidebyside.row("grouping accuracy, mean of 16", mean(every, 0), None, "", "", PUBLISHED, lower=False),
        sidebyside.row(
            "grouping accuracy, mean of 16", mean(every, 0), mean(every, 2),
            "drain3 with our masks", "", 1.0, lower=False,
        ),
        sidebyside.row(
            "grouping accuracy, mean of the 10 not looked at", mean(others, 0), mean(others, 2),
            "drain3 with our masks", "", 1.0, lower=False,
        ),
        sidebyside.row(
            "mining and matching", sum(len(lines) for lines, _ in logs.values()) / sum(took.values()),
            sum(len(lines) for lines, _ in logs.values()) / sum(seconds for _, seconds in plain.values()),
            "drain3", "lines/s", 1.0, lower=False,
        ),
        *rows,
    ]  # fmt: skip
    return sidebyside.result("logs", (), rows)


def read() -> dict[str, tuple[list[str], list[str]]]:
    """Return the text and the true group of every line, by system."""
    folder = os.environ.get("FLYBALL_DATA")
    if not folder:
        raise errors.DataError("FLYBALL_DATA names no folder: this benchmark reads loghub_2k from it")
    out = {}
    with zipfile.ZipFile(Path(folder) / "loghub_2k/loghub_2k.zip") as packed:
        for name in sorted(packed.namelist()):
            if name.endswith("_2k.log_structured.csv"):
                with packed.open(name) as file:
                    table = list(csv.DictReader(io.TextIOWrapper(file, "utf-8", newline="")))
                system = Path(name).name.removesuffix("_2k.log_structured.csv")
                out[system] = [row["Content"] for row in table], [row["EventId"] for row in table]
    return out


def accuracy(truth: list[str], found: list[Any]) -> float:
    """Return the share of lines whose group is exactly a true one."""
    true, told = defaultdict(set), defaultdict(set)
    for number, (one, other) in enumerate(zip(truth, found, strict=True)):
        true[one].add(number)
        told[other].add(number)
    right = sum(len(rows) for rows in told.values() if true[truth[min(rows)]] == rows)
    return right / len(truth)


def mask(line: str) -> str:
    """Return a line with our gaps, in words."""
    return " ".join(templates.words(line)) or line


def peer(logs: dict[str, list[str]]) -> dict[str, tuple[list[int | None], float]]:
    """Return drain3's groups and seconds by system, from an environment of its own."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--target", folder / "site"]
        subprocess.run([*install, "drain3==0.9.11"], check=True)
        (folder / "lines.json").write_text(json.dumps(logs))
        (folder / "peer.py").write_text(PEER)
        env = {**os.environ, "PYTHONPATH": str(folder / "site")}
        command = [sys.executable, folder / "peer.py", folder / "lines.json", folder / "told.json"]
        subprocess.run(command, check=True, env=env, stdout=subprocess.DEVNULL)
        told: dict[str, tuple[list[int | None], float]] = json.loads((folder / "told.json").read_text())
        return told
