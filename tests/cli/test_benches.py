import json

import pytest

from flyball import errors
from flyball.cli import benches

ROW = (
    '{"case": "small", "ours": 1.25, "peer": 5.0, "peer_name": "sklearn", "unit": "s", "ratio": 0.25, "goal": 1.0, '
    '"met": True}'
)
WHOLE = '{"name": "mine", "machine": {"cpu": "x", "cores": 2}, "versions": {"python": "3.11"}, "rows": [ROW, other()]}'


@pytest.fixture
def folder(tmp_path, request):
    """A checkout's benchmarks, in a folder of a name of its own (modules are found once by their name)."""
    place = tmp_path / f"benches_{abs(hash(request.node.nodeid))}"
    place.mkdir()
    (place / "__init__.py").touch()
    (place / "shared.py").write_text(
        "def other():\n    return dict(ROW, met=False, peer=None, ratio=None)\n\nROW = " + ROW
    )
    body = f"from {place.name}.shared import ROW, other\n\ndef run():\n    return {WHOLE}\n"
    (place / "mine.py").write_text(body)
    (place / "lacking.py").write_text("import os\n\ndef run():\n    return {'name': 'lacking'}\n")
    (place / "narrow.py").write_text(body.replace("[ROW, other()]", "[{'case': 'x'}]"))
    return place


def test_it_runs_writes_and_shows_a_table(folder):
    told = benches.run("mine", folder)
    written = json.loads((folder / "results" / "mine.json").read_text())
    assert written == {name: told[name] for name in ("name", "machine", "versions", "rows")}
    lines = list(benches.lines(told))
    assert lines[0] == "mine on x, 2 core(s)"
    assert lines[1].split() == ["case", "ours", "peer", "ratio", "goal"]
    assert lines[2].split() == ["small", "1.25", "s", "5", "s", "sklearn", "0.25", "1", "met"]
    assert lines[3].split()[-1] == "MISSED"
    assert lines[-1] == f"  written to {folder}/results/mine.json"


def test_a_stream_is_told_how_long(folder):
    body = (
        (folder / "mine.py")
        .read_text()
        .replace("def run():", "def run(minutes=0.1):\n    ROW['ours'] = minutes")
    )
    (folder / "long.py").write_text(body)
    assert benches.run("long", folder)["rows"][0]["ours"] == 0.1
    assert benches.run("long", folder, minutes=2.5)["rows"][0]["ours"] == 2.5
    with pytest.raises(errors.DeclarationError, match="does not stream"):
        benches.run("mine", folder, minutes=1.0)


def test_the_result_may_go_elsewhere(folder, tmp_path):
    benches.run("mine", folder, tmp_path / "out" / "there")
    assert (tmp_path / "out" / "there" / "mine.json").is_file()
    assert not (folder / "results").exists()


def test_subjects_are_the_modules_that_run(folder):
    assert benches.names(folder) == ("lacking", "mine", "narrow")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mien", "no benchmark 'mien'.*did you mean 'mine'"),
        ("shared", "no benchmark 'shared'"),
        ("lacking", "gives no name, machine, versions and rows"),
        ("narrow", "a row without goal, met, ours, peer, peer_name, ratio, unit"),
    ],
)
def test_what_is_no_benchmark_is_told(folder, name, said):
    with pytest.raises(errors.DeclarationError, match=said):
        benches.run(name, folder)
