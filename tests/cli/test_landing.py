import json
import signal
import subprocess
import sys

import pytest

from flyball import cli

COMMAND = [sys.executable, "-c", "from flyball.cli import main; main()", "ingest"]


def called(capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        cli.main(["ingest", *map(str, arguments)])
    out, err = capsys.readouterr()
    return end.value.code, out, err


@pytest.fixture
def inbox(tmp_path, daily):
    """A folder to drop days into."""
    folder = tmp_path / "inbox"
    (folder / "telemetry").mkdir(parents=True)

    def drop(day):
        for file in daily.files[day]:
            if file.parent.name == "telemetry":
                (folder / "telemetry" / file.name).write_bytes(file.read_bytes())

    return folder, drop, sorted(daily.files)


def test_for_some_seconds_it_says_each_lot_and_the_sum(tmp_path, capsys, daily, inbox):
    folder, drop, days = inbox
    drop(days[0])
    drop(days[1])
    (folder / "notes.txt").write_text("hello")
    place = (daily.file, "--watch", folder, "--store", tmp_path / "store", "--every", 0.1, "--for", 1.4)
    code, out, err = called(capsys, *place, "--json")
    one, total = map(json.loads, out.splitlines())
    assert (code, err, one["files"], one["unclaimed"]) == (0, "", 2, ["notes.txt"])
    assert one["good"] == {"telemetry": 24} == total["good"] and total["ended"] == "time is over"
    code, out, err = called(capsys, *place)
    assert code == 0 and "0 file(s) taken in, 2 known already" in out
    assert out.splitlines()[-1].startswith("time is over: 0 file(s) in 0 commit(s), 2 known already, 0 rows")


MISTAKES = {
    "a place that is not there": (["--watch", "{}/none"], 3, "no folder"),
    "a file to watch": (["--watch", "{}/a_file"], 3, "give --watch the folder"),
    "two places": (["--watch", "{}", "--from", "{}"], 2, "give one of them"),
    "no wait": (["--watch", "{}", "--every", "0"], 2, "--every 0.0: give at least 0.01"),
    "no number": (["--watch", "{}", "--every", "nan"], 2, "--every nan: give at least 0.01"),
    "no memory": (["--watch", "{}", "--largest", "0"], 2, "--largest 0: give at least 1"),
    "no lot": (["--watch", "{}", "--lot", "-1"], 2, "--lot -1: give at least 1"),
    "a store that is a file": (["--watch", "{}", "--store", "{}/a_file"], 3, "is a file: give --store a folder"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_ends_with_a_sentence(tmp_path, capsys, daily, mistake):
    (tmp_path / "a_file").write_text("x")
    arguments, code, told = MISTAKES[mistake]
    arguments = [argument.replace("{}", str(tmp_path)) for argument in arguments]
    if "--store" not in arguments:
        arguments += ["--store", str(tmp_path / "store")]
    found, out, err = called(capsys, daily.file, *arguments)
    assert (found, out) == (code, "") and told in err and "Traceback" not in err


@pytest.mark.slow
def test_asked_to_end_it_finishes_and_says_the_sum(tmp_path, daily, inbox):
    folder, drop, days = inbox
    drop(days[0])
    command = [
        *COMMAND,
        daily.file,
        "--watch",
        folder,
        "--store",
        tmp_path / "store",
        "--every",
        "0.1",
        "--json",
    ]
    with subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True) as process:
        assert json.loads(process.stdout.readline())["files"] == 1
        drop(days[1])
        assert json.loads(process.stdout.readline())["files"] == 1
        process.send_signal(signal.SIGTERM)
        total = json.loads(process.stdout.readline())
        assert process.wait(20) == 0
    assert (total["ended"], total["files"], total["commits"]) == ("interrupted", 2, 2)
