import gzip
import json

import pytest

from flyball import cli


def called(capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        cli.main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return end.value.code, out, err


@pytest.fixture
def log(tmp_path):
    file = tmp_path / "machine.log"
    file.write_text("".join(f"pump {n} lost prime\n" for n in range(30)) + "door open\n\n")
    return file


def test_templates_are_told_and_written(capsys, tmp_path, log):
    code, out, _ = called(capsys, "templates", log, "--out", tmp_path / "known.json")
    assert code == 0 and "31 lines, 2 templates" in out and "pump <*> lost prime" in out
    packed = tmp_path / "machine.log.gz"
    packed.write_bytes(gzip.compress(log.read_bytes() + b"door shut\n"))
    code, out, _ = called(capsys, "templates", packed, "--against", tmp_path / "known.json", "--json")
    told = json.loads(out)
    assert code == 0 and told["new"] == ["door shut"] and told["gone"] == [] and told["lines"] == 32


def test_what_is_no_log_is_refused_by_name(capsys, tmp_path, log):
    (tmp_path / "empty.log").write_text("")
    (tmp_path / "binary.log").write_bytes(b"\0\1\2")
    (tmp_path / "cut.log.gz").write_bytes(gzip.compress(log.read_bytes())[:-12])
    (tmp_path / "other.json").write_text("{}")
    for name, said in (
        ("missing.log", "no log"),
        ("empty.log", "no line"),
        ("binary.log", "no text"),
        ("cut.log.gz", "damaged"),
    ):
        code, _, err = called(capsys, "templates", tmp_path / name)
        assert code == 3 and said in err and "Traceback" not in err
    code, _, err = called(capsys, "templates", log, "--against", tmp_path / "other.json")
    assert code == 3 and "no templates" in err
    code, _, err = called(capsys, "templates", log, "--vary", 1)
    assert code == 2 and "at least 2" in err
