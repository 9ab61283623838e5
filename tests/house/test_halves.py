import subprocess
import sys

from tests import halves


def test_every_test_is_in_one_half():
    first, second = (set(half) for half in halves.halves())
    assert not first & second and len(first) == len(halves.COMPUTES)
    holds = {path for path in halves.HERE.iterdir() if path.is_dir() and any(path.rglob("test_*.py"))}
    assert {str(path) for path in [*holds, *halves.HERE.glob("test_*.py")]} == first | second


def test_both_are_added_up_and_the_worse_code_is_told(tmp_path, monkeypatch):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "test_a.py").write_text("def test_a():\n    pass\n")
    (tmp_path / "test_b.py").write_text("def test_b():\n    assert False\n\ndef test_c():\n    pass\n")
    code = f"import pathlib, sys\nfrom tests import halves\nhalves.HERE = pathlib.Path({str(tmp_path)!r})\n"
    code += "sys.exit(halves.main(['-q', '-p', 'no:cacheprovider', '--rootdir', str(halves.HERE)]))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=halves.HERE.parent
    )
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].startswith("1 failed, 2 passed in ")
    assert halves.added(["3 passed in 1s", "2 errors in 1s"]) == "2 error, 3 passed"
