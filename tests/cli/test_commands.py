import json
import os
import subprocess
import sys

import pytest

from flyball import cli, systems

PAGE = "from flyball.systems import load\nimport dataclasses\npage = load('scanner')\n"


def called(capsys, *arguments):
    """Run a command here: its exit code, what it printed, and what it complained."""
    with pytest.raises(SystemExit) as end:
        cli.main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return end.value.code, out, err


def process(*arguments, **options):
    command = [sys.executable, "-c", "from flyball.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


@pytest.fixture
def mess(tmp_path):
    """A folder with everything a user may get wrong in it."""
    (tmp_path / "syntax.py").write_text("system = System(\n")
    (tmp_path / "name.py").write_text("system = Sytem()\n")
    (tmp_path / "nothing.py").write_text("x = 1\n")
    (tmp_path / "other.py").write_text("system = 3\n")
    (tmp_path / "raises.py").write_text("raise RuntimeError('boom')\n")
    (tmp_path / "exits.py").write_text("import sys; sys.exit(0)\n")
    (tmp_path / "binary.py").write_bytes(b"\xff\xfe\x00\x01")
    (tmp_path / "argument.py").write_text("from flyball import data\nsystem = data.Table('a', colums={})\n")
    (tmp_path / "wrong.py").write_text(PAGE + "system = dataclasses.replace(page, labels='x')\n")
    (tmp_path / "good.py").write_text(PAGE + "system = dataclasses.replace(page, name='good')\n")
    (tmp_path / "a_file").write_text("x")
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.binding").write_text("__import__('os').getcwd()")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "runs").mkdir()
    (tmp_path / "broken" / "runs" / "20260101T000000-x.json").write_text("{")
    return tmp_path


MISTAKES = {
    "a fleet nobody planned": (["fab", "--preset", "huge", "--out", "{}/fleet"], 2, "no preset 'huge'"),
    "a fleet of nothing": (["fab", "--days", "0", "--out", "{}/fleet"], 2, "give at least 1 of each"),
    "a fleet for nowhere": (["fab"], 2, "give --out a folder"),
    "a fleet that lives for nobody": (["fab", "--live"], 2, "nowhere to send: give --broker"),
    "a broker that is not there": (["fab", "--live", "--broker", "no:port"], 2, "is no address"),
    "a fleet that stands still": (["fab", "--live", "--ring", "flyball-still", "--speed", "0"], 2, "above 0"),
    "a fleet onto a file": (["fab", "--out", "{}/a_file"], 3, "is a file"),
    "a fleet beside other things": (["fab", "--out", "{}"], 3, "is not empty"),
    "no command": (["chek"], 2, "No such command 'chek'"),
    "no option": (["check", "scanner", "--jsn"], 2, "No such option: --jsn"),
    "no argument": (["check"], 2, "Missing argument"),
    "no page": (["check", "scaner"], 2, "no page 'scaner': did you mean 'scanner'?"),
    "no file": (["check", "{}/none.py"], 2, "no page"),
    "a folder for a page": (["check", "{}/empty"], 2, "no page"),
    "a page with a syntax error": (["check", "{}/syntax.py"], 2, "cannot be read as a page: SyntaxError"),
    "a page with an unknown name": (
        ["check", "{}/name.py"],
        2,
        "name.py, line 1: cannot be read as a page: NameError: name 'Sytem'",
    ),
    "a page without a system": (["check", "{}/nothing.py"], 2, "no value `system = System(...)` in it"),
    "a page whose system is none": (["check", "{}/other.py"], 2, "no value `system = System(...)` in it"),
    "a page that raises": (["check", "{}/raises.py"], 2, "cannot be read as a page: RuntimeError: boom"),
    "a page that exits": (["check", "{}/exits.py"], 2, "cannot be read as a page: SystemExit"),
    "a page that is no text": (["check", "{}/binary.py"], 2, "cannot be read as a page"),
    "a page with a wrong argument": (
        ["check", "{}/argument.py"],
        2,
        "has no 'colums': did you mean 'columns'?",
    ),
    "a page with problems": (["run", "{}/wrong.py", "--store", "{}/s"], 2, "1 problem(s) on the page"),
    "no files of a fleet": (["run", "{}/good.py", "--store", "{}/s"], 3, "the store holds no rows"),
    "nothing to take in": (["ingest", "{}/good.py", "--store", "{}/s"], 2, "nothing to take in"),
    "no folder of files": (["run", "{}/good.py", "--from", "{}/none", "--store", "{}/s"], 3, "no folder"),
    "no date": (
        ["run", "{}/good.py", "--as-of", "soon", "--from", "{}/empty", "--store", "{}/s"],
        2,
        "is no time",
    ),
    "no number": (["run", "{}/good.py", "--seed", "x"], 2, "'x' is not a valid int"),
    "no binding": (["run", "{}/good.py", "--binding", "{}/none", "--store", "{}/s"], 2, "no binding"),
    "a binding that would run": (
        ["run", "{}/good.py", "--binding", "{}/bad.binding", "--store", "{}/s"],
        2,
        "is not a known part",
    ),
    "a store that is a file": (
        ["run", "{}/good.py", "--store", "{}/a_file"],
        3,
        "is a file: give --store a folder",
    ),
    "a store inside a file": (
        ["run", "{}/good.py", "--from", "{}/empty", "--store", "{}/a_file/s"],
        3,
        "a_file",
    ),
    "status of a file": (["status", "--store", "{}/a_file"], 3, "is a file, not a store"),
    "status of nothing": (["status", "--store", "{}/none"], 3, "no store at"),
    "status of an empty folder": (["status", "--store", "{}/empty"], 3, "no store at"),
    "why of nothing": (["why", "release", "--store", "{}/none"], 3, "no store at"),
    "why before a run": (["why", "release", "--store", "{}/broken"], 3, "nothing to explain"),
    "doctor of a file": (["doctor", "--store", "{}/a_file"], 3, ""),
    "init like nothing": (["init", "scaner", "{}/mine"], 2, "did you mean 'scanner'?"),
    "init over a page": (["init", "scanner", "{}/good.py"], 2, "is there already"),
    "init into nowhere": (["init", "scanner", "{}/none/mine"], 2, "no folder"),
    "init from nowhere": (["init", "scanner", "{}/mine", "--from", "{}/none"], 3, "no folder"),
    "init from an empty folder": (["init", "scanner", "{}/mine", "--from", "{}/empty"], 3, "no file there"),
    "prepare of a page of one's own": (["prepare", "{}/good.py", "--out", "{}/o"], 2, "no input to prepare"),
    "no benchmark": (["bench", "x", "--benchmarks", "{}/empty"], 2, "no benchmark 'x'"),
    "no benchmarks": (["bench", "x", "--benchmarks", "{}/none"], 2, "no folder"),
}


@pytest.mark.parametrize(("arguments", "code", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_users_mistake_ends_with_a_sentence(mess, capsys, arguments, code, said):
    before = sorted(file.name for file in mess.iterdir())
    found, out, err = called(capsys, *(argument.replace("{}", str(mess)) for argument in arguments))
    assert found == code, (out, err)
    assert said in err
    assert "Traceback" not in out + err
    if arguments[0] not in ("run", "ingest"):
        assert sorted(file.name for file in mess.iterdir()) == before


@pytest.mark.parametrize(
    "name", ["a page with a syntax error", "no command", "a store inside a file", "no option"]
)
def test_no_traceback_from_the_process_itself(mess, name):
    arguments, code, said = MISTAKES[name]
    done = process(*(argument.replace("{}", str(mess)) for argument in arguments))
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_told(mess, capsys):
    (mess / "empty").chmod(0)
    code, _, err = called(capsys, "status", "--store", mess / "empty")
    assert code == 3
    assert "right to read" in err


def test_check_lists_every_problem_and_exits_2(tmp_path, capsys):
    text = PAGE + "from flyball import serving, units\n"
    text += "edge = serving.Edge(decide=serving.Budget(0, units.days(0)))\n"
    text += "system = dataclasses.replace(page, serving=edge)\n"
    (tmp_path / "page.py").write_text(text)
    code, out, _ = called(capsys, "check", tmp_path / "page.py", "--json")
    told = json.loads(out)
    assert code == 2
    assert {problem["place"] for problem in told["problems"]} == {
        "serving.decide.alerts",
        "serving.decide.per",
    }
    code, out, _ = called(capsys, "check", tmp_path / "page.py")
    assert code == 2
    assert "serving.decide.alerts: 0 alerts, give 1 or more" in out


@pytest.mark.parametrize("name", systems.names())
def test_every_ready_made_page_checks(name, capsys):
    code, out, _ = called(capsys, "check", name, "--json")
    assert (code, json.loads(out)["problems"]) == (0, [])


def test_version(capsys):
    import flyball

    assert called(capsys, "--version") == (0, f"flyball {flyball.__version__}\n", "")


def test_help_names_every_command(capsys):
    code, out, _ = called(capsys, "--help")
    assert code == 0
    assert all(
        name in out for name in ("init", "check", "ingest", "run", "loop", "status", "why", "doctor", "bench")
    )


def test_both_spellings_of_an_option(pumps, tmp_path, capsys):
    for spelling in ("--as-of", "--as_of"):
        code, out, _ = called(
            capsys,
            "run",
            pumps.page,
            "--from",
            pumps.files,
            "--store",
            tmp_path,
            spelling,
            "2026-02-20",
            "--json",
        )
        assert code == 0
        assert json.loads(out)["system"] == "pumps"


def strict(text):
    """JSON as every reader knows it: no NaN, no Infinity."""

    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_run_prints_one_strict_json_object(pumps, tmp_path):
    done = process("run", pumps.page, "--from", pumps.files, "--store", tmp_path / "s", "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    told = strict(done.stdout)
    assert {"system", "fingerprint", "steps", "contest", "verdicts", "release", "watch"} <= set(told)
    assert {"name", "key", "seconds", "reused"} == set(told["steps"][0])
    assert len(told["contest"]["challenger"]["average_precision"]) == 3
    assert told["contest"]["ceiling"] is None
    assert (tmp_path / "s" / "report.html").is_file()
    again = strict(
        process("run", pumps.page, "--from", pumps.files, "--store", tmp_path / "s", "--json").stdout
    )
    assert all(step["reused"] for step in again["steps"])
    assert again["release"] == told["release"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["status"], ["telemetry: 720 rows", "1 done", "answers now", "alarm(s)"]),
        (["why", "release"], ["learned from", "difference.average_precision", "holds"]),
        (["why", "alarm"], ["alarm"]),
        (["why", "m03"], ["m03: answered", "threshold"]),
        (["doctor"], ["kernels", "releases verified: 1", "healthy"]),
    ],
    ids=" ".join,
)
def test_looking_in_plain_words_and_json(pumps, capsys, arguments, words):
    code, out, err = called(capsys, *arguments, "--store", pumps.store)
    assert (code, err) == (0, "")
    assert all(word in out for word in words), out
    code, out, _ = called(capsys, *arguments, "--store", pumps.store, "--json")
    assert code == 0
    assert isinstance(strict(out), dict)


def test_why_of_an_unknown_machine_suggests_one(pumps, capsys):
    code, _, err = called(capsys, "why", "m033", "--store", pumps.store)
    assert code == 3
    assert "no answer about 'm033': did you mean" in err


def test_ingest_says_what_was_quarantined_and_exits_well(pumps, tmp_path, capsys):
    files = tmp_path / "files"
    files.mkdir()
    good = (pumps.files / "telemetry.csv").read_text().splitlines()[:4]
    (files / "telemetry.csv").write_text("\n".join([*good, "m00,not a time,1.0,2.0"]) + "\n")
    code, out, _ = called(capsys, "ingest", pumps.page, "--from", files, "--store", tmp_path / "s")
    assert code == 0
    assert "3 rows, 1 quarantined" in out
    code, out, _ = called(capsys, "status", "--store", tmp_path / "s")
    assert code == 0
    assert "quarantined: telemetry: 1 x" in out


def test_strict_exits_1_when_a_gate_does_not_hold(pumps, tmp_path, capsys):
    page = tmp_path / "page.py"
    page.write_text(
        pumps.page.read_text().replace(
            'Beats("average_precision", by=0.0)', 'Beats("average_precision", by=0.99)'
        )
    )
    arguments = ("run", page, "--from", pumps.files, "--store", tmp_path / "s")
    assert called(capsys, *arguments)[0] == 0
    code, out, _ = called(capsys, *arguments, "--strict")
    assert code == 1
    assert "FAILED" in out
    assert "release: none" in out
    code, out, _ = called(capsys, "why", "release", "--store", tmp_path / "s")
    assert "DOES NOT HOLD" in out


def test_loop_goes_round_and_stops(pumps, tmp_path, capsys):
    arguments = (
        "loop",
        pumps.page,
        "--from",
        pumps.files,
        "--store",
        tmp_path / "s",
        "--rounds",
        "2",
        "--every",
        "0",
    )
    code, out, _ = called(capsys, *arguments, "--json")
    assert code == 0
    first, second = (strict(line) for line in out.splitlines())
    assert first["trained"] and first["because"] == "first training"
    assert not second["trained"]


def test_a_reader_that_leaves_early_is_no_error(pumps):
    command = (
        f"{sys.executable} -c 'from flyball.cli import main; main()' status --store {pumps.store} | true"
    )
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr


def test_a_terminal_that_knows_ascii_only_is_no_error(tmp_path):
    (tmp_path / "page.py").write_text(
        PAGE + "system = dataclasses.replace(page, question='Hotter than 20 °C?')\n"
    )
    done = process("check", tmp_path / "page.py", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, "")


def test_a_fleet_is_written_told_and_taken_in(tmp_path, capsys):
    asked = ("fab", "--preset", "tiny", "--seed", 3, "--machines", 2, "--days", 4, "--out")
    told = [json.loads(called(capsys, *asked, tmp_path / name, "--json")[1]) for name in ("one", "two")]
    assert told[0] == told[1]
    assert called(capsys, *asked, tmp_path / "one")[1].startswith(
        "tiny, seed 3: 2 machines at 2 sites, 4 days"
    )
    code, out, _ = called(
        capsys, "ingest", "scanner", "--from", tmp_path / "one", "--store", tmp_path / "store", "--json",
        "--binding", tmp_path / "one" / "bindings",
    )  # fmt: skip
    receipt = json.loads(out)
    assert code == 0 and not any(receipt["quarantined"].values())
    for name in ("telemetry", "events", "repairs"):
        assert receipt["good"].get(name, 0) == told[0]["tables"][name]["rows"]
    code, _, err = called(capsys, "fab", "--seed", 4, "--out", tmp_path / "one")
    assert code == 3 and "holds another fleet (tiny, seed 3" in err


def test_a_fleet_is_written_clean(tmp_path, capsys):
    asked = ("fab", "--preset", "tiny", "--machines", 2, "--days", 20, "--clean", "--out", tmp_path / "clean")
    assert called(capsys, *asked)[0] == 0
    assert not (tmp_path / "clean" / "bindings").exists()
