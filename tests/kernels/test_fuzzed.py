"""The log scan on bytes that nobody would write, for a few seconds; `make fuzz` takes minutes."""

import os
import pathlib
import shutil
import subprocess

import pytest

NATIVE = pathlib.Path(__file__).parents[2] / "native"
SECONDS = int(os.environ.get("FLYBALL_FUZZ_SECONDS", "10"))
CLANG = next((name for name in ("clang++", "clang++-14") if shutil.which(name)), None)

CALM = b"2026-03-01T12:34:56Z SCN0042 ERROR E-4711 stage lost lock\n"
LINES = {
    "calm": CALM * 4 + CALM.replace(b"SCN", b"SC\x01") + CALM * 4,
    "iso": b"2026-03-01T12:34:56.789Z SCN0042 ERROR E-4711 stage lost lock\n"
    b"2026-03-01T12:35:00Z SCN0042 WARN E-4711 \n2026-03-01T13:00:00+05:30 SCN0007 INFO EX-1 a\r\n\n"
    b"2026-02-30T00:00:00Z SCN0007 INFO EX-1 a\n2026-03-01T24:00:00Z SCN0007 INFO EX-1 a\nno line\n",
    "space": b"2026-03-01 12:34:56,789 SCN0042 ERROR E-4711 lost\n2026-03-01 \n2026-03-01 12:59:59.1-0330 S D E-1 \n",
    "epoch": b"1772368496 SCN0042 ERROR E-4711 lost\n1772368496.5 A INFO E-1 \n99999999999999 A INFO E-1 \n",
    "milliseconds": b"1772368496789 SCN0042 ERROR E-4711 lost\n0 A DEBUG E-1 \x00\xff\n",
}
CLOCKS = {"calm": 0, "iso": 0, "space": 4, "epoch": 8, "milliseconds": 12}


def seeds(folder):
    """Good and bad lines of each kind, with each separator, in each order of the columns."""
    for name, lines in LINES.items():
        for turn in range(16):
            separator = b" \t,|"[turn & 3 :][:1]
            first = CLOCKS[name] | turn & 3 | (turn & 4) << 3 | (turn & 8) << 1
            body = lines.replace(b" ", separator) if name != "space" else lines
            head = bytes([first, turn * 37 & 127, 5 | turn << 4 & 240, 1, 7, 20, 0, 33])
            (folder / f"{name}-{turn}").write_bytes(head + body)


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory):
    if CLANG is None:
        pytest.skip("NOT RUN: no clang++ here to build the fuzz target")
    program = tmp_path_factory.mktemp("fuzz") / "logscan"
    command = [CLANG, "-std=c++20", "-g", "-O1", "-Wall", "-Wextra", "-fsanitize=fuzzer,address,undefined"]
    command += ["-fno-sanitize-recover=all", "-march=native", f"-I{NATIVE}", NATIVE / "fuzz" / "logscan.cpp"]
    made = subprocess.run([*command, "-o", program], capture_output=True, text=True)
    if "cannot find" in made.stderr or "unsupported option" in made.stderr:
        pytest.skip("NOT RUN: this clang++ has no fuzzer or sanitizer libraries")
    assert made.returncode == 0, made.stderr
    return program


@pytest.mark.slow
def test_no_bytes_make_the_scan_crash_or_differ(fuzzer, tmp_path):
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    seeds(corpus)
    limits = [f"-max_total_time={SECONDS}", "-max_len=2048", "-timeout=10", "-rss_limit_mb=2048"]
    # By a shell that forks: what a program is told to have held at most is, right after an exec, what its parent held,
    # and the tests before this one hold gigabytes.
    forked = ["sh", "-c", '"$@"; exit $?', "sh"]
    run = subprocess.run([*forked, fuzzer, *limits, corpus], cwd=tmp_path, capture_output=True, text=True)
    found = sorted(file.name for file in tmp_path.glob("crash-*"))
    assert run.returncode == 0, f"{found}\n{run.stderr[-4000:]}"
    assert "DONE" in run.stderr
