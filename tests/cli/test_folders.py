"""`flyball doctor DIR`, as a user meets it."""

import json
import subprocess
import sys

import numpy as np
import pytest

from flyball import cli


def called(capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        cli.main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return end.value.code, out, err


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    """A tiny fleet that nobody documented: ten pumps whose vibration rises before they fail."""
    place = tmp_path_factory.mktemp("fleet") / "sent"
    place.mkdir()
    rng = np.random.default_rng(15)
    for pump in range(10):
        lines = ["machine;time;bearing_temp_degC;vibration;failed"]
        for hour in range(0, 24 * 80, 6):
            wear = (hour + 300 * pump) % 480 / 480
            at = np.datetime64("2026-01-01T00:00") + np.timedelta64(hour, "h")
            fails = int(wear > 0.98 and rng.random() < 0.8)
            lines.append(f"p{pump};{at}:00Z;{40 + rng.normal():.2f};{wear + 0.1 * rng.normal():.3f};{fails}")
        (place / f"pump-{pump}.csv").write_text("\n".join(lines) + "\n")
    return place


def test_the_page_is_accepted_by_check_and_runs(fleet, tmp_path, capsys):
    page = tmp_path / "page.py"
    code, out, err = called(capsys, "doctor", fleet, "--out", page)
    assert (code, err) == (0, "")
    for words in (
        "table pump: 3200 rows",
        "machine: machine",
        "every 6 h",
        "likely °C",
        "proposed page",
        f"flyball run {page} --from {fleet}",
    ):
        assert words in out, out
    assert called(capsys, "check", page)[0] == 0
    code, out, err = called(capsys, "run", page, "--from", fleet, "--store", tmp_path / "store", "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert told["rows"]["test"] > 0 and told["data"]
    assert "failed" in page.read_text()


def test_events_in_a_table_of_their_own_are_asked_for(pumps, tmp_path, capsys):
    page = tmp_path / "page.py"
    code, out, _ = called(capsys, "doctor", pumps.files, "--out", page)
    assert (
        code == 0
        and "what is to be known is 'repairs.failed': all 17 rows of 'repairs' are such events" in out
    )
    assert called(capsys, "check", page)[0] == 0
    code, out, err = called(
        capsys, "run", page, "--from", pumps.files, "--store", tmp_path / "store", "--json"
    )
    assert (code, err) == (0, "")
    assert json.loads(out)["rows"]["test"] > 0


def test_json_is_one_object_with_the_evidence(fleet, capsys):
    code, out, _ = called(capsys, "doctor", fleet, "--json")
    told = json.loads(out)
    assert code == 0
    assert told["tables"][0]["machines"] == 10 and told["page"]["text"].startswith('"""')
    assert (
        {"kind", "table", "file", "column", "share", "examples", "what"} == set(told["findings"][0])
        if told["findings"]
        else True
    )


def test_a_page_without_a_truth_names_what_is_to_be_said(fleet, tmp_path, capsys):
    place = tmp_path / "sent"
    place.mkdir()
    for file in fleet.iterdir():
        (place / file.name).write_text(file.read_text().replace("failed", "state"))
    code, out, _ = called(capsys, "doctor", place, "--out", tmp_path / "page")
    assert code == 0 and "still to be said: what is to be known" in out and "names what is TODO" in out
    assert "# TODO" in (tmp_path / "page.py").read_text()
    code, out, _ = called(capsys, "check", tmp_path / "page.py")
    assert code == 2 and "no column 'pump.TODO'" in out


def test_nothing_is_overwritten(fleet, tmp_path, capsys):
    page = tmp_path / "page.py"
    page.write_text("mine")
    code, _, err = called(capsys, "doctor", fleet, "--out", page)
    assert code == 2 and "is there already" in err
    assert page.read_text() == "mine"
    assert called(capsys, "doctor", fleet, "--out", tmp_path / "none" / "page.py")[0] == 2


def test_nothing_readable_and_no_folder_end_with_a_sentence(tmp_path, capsys):
    (tmp_path / "notes.md").write_text("x")
    code, out, err = called(capsys, "doctor", tmp_path)
    assert code == 3 and err == ""
    assert "passed over: 1 x no format that is read (.md): notes.md" in out
    assert "no page is proposed" in out
    code, _, err = called(capsys, "doctor", tmp_path / "none")
    assert code == 3 and "is not there" in err and "Traceback" not in err
    code, _, err = called(capsys, "doctor", "--out", tmp_path / "p.py")
    assert code == 2 and "name one, doctor DIR" in err


def test_names_say_nothing_to_a_terminal(tmp_path, capsys):
    (tmp_path / "a\x1b[31m.csv").write_text("x,y\x1b]0;owned\x07\n1,2\n3,4\n")
    _, out, _ = called(capsys, "doctor", tmp_path)
    assert "\x1b" not in out and "\x07" not in out


def test_a_name_that_is_no_text_is_told(tmp_path, capsys):
    import os

    with open(os.fsencode(tmp_path) + b"/m\xff.csv", "w") as file:
        file.write("a,b\n1,2\n3,4\n")
    (tmp_path / "x.md").write_text("x")
    os.rename(tmp_path / "x.md", os.fsencode(tmp_path) + b"/\xfe.md")
    for more in ([], ["--json"]):
        code, out, err = called(capsys, "doctor", tmp_path, *more)
        assert (code, err) == (0, "")
        out.encode()


def test_a_store_is_examined_as_one(pumps, capsys):
    code, out, _ = called(capsys, "doctor", pumps.store)
    assert code == 0 and "data files verified" in out and out.rstrip().endswith("healthy")


def test_it_is_bounded_in_memory(tmp_path):
    """A file of 80 MB that unpacks from a few kB is read within the memory of a small machine."""
    import gzip

    with gzip.open(tmp_path / "bomb.csv.gz", "wb", compresslevel=1) as file:
        for _ in range(27):
            file.write(b"1,2\n" * 750_000)
    # The peak of this process: ru_maxrss would be that of the one which started it, where that is larger.
    script = "import sys; from flyball.cli import main\n" \
        "try: main(['doctor', sys.argv[1]])\n" \
        "finally: print(int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0]) // 1024)"  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.splitlines()[-1]) < 1_000, "MiB"
    assert "sampled:" in done.stdout
