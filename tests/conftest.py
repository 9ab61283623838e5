"""What every test may ask for."""

import importlib.util
import os
import pathlib
import types

import hypothesis
import pytest

# Derandomised: a red build is red for its change, on every machine. No deadline: machines are shared.
hypothesis.settings.register_profile(
    "flyball",
    derandomize=True,
    deadline=None,
    max_examples=50,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("flyball")


@pytest.fixture(scope="session")
def data_folder() -> pathlib.Path:
    """The public data, where FLYBALL_DATA points; without it the test says loudly that it did not run."""
    named = os.environ.get("FLYBALL_DATA")
    if not named:
        pytest.skip("NOT RUN ON REAL DATA: set FLYBALL_DATA to the folder of the public data sets")
    folder = pathlib.Path(named)
    if not folder.is_dir():
        pytest.fail(f"FLYBALL_DATA is {named!r}, which is no folder: point it at the public data or unset it")
    return folder


def _pumps() -> types.ModuleType:
    place = pathlib.Path(__file__).with_name("pumps.py")
    spec = importlib.util.spec_from_file_location("pumps", place)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@pytest.fixture(scope="session")
def daily(tmp_path_factory: pytest.TempPathFactory) -> types.SimpleNamespace:
    """The same fleet as `pumps`, sent day by day: `page` (a System), `file`, `text`, `write`, and `files` by day."""
    from flyball import system, systems

    made = _pumps()
    folder = tmp_path_factory.mktemp("daily")
    (folder / "page.py").write_text(made.PAGE)
    made.write(folder / "whole")
    files: dict[str, list[pathlib.Path]] = {}
    for table in ("telemetry", "repairs"):
        head, *lines = (folder / "whole" / f"{table}.csv").read_text().splitlines()
        (folder / table).mkdir()
        for day in sorted({line.split(",")[1][:10] for line in lines}):
            file = folder / table / f"{day}.csv"
            file.write_text(
                "\n".join([head, *(line for line in lines if line.split(",")[1][:10] == day)]) + "\n"
            )
            files.setdefault(day, []).append(file)
    page = systems.load(str(folder / "page.py"))
    # Read back from its text: a value of its own that no file stands behind.
    return types.SimpleNamespace(
        page=system.read(repr(page)), file=folder / "page.py", text=made.PAGE, write=made.write, files=files
    )


@pytest.fixture(scope="session")
def pumps(tmp_path_factory: pytest.TempPathFactory) -> types.SimpleNamespace:
    """A small page that was run once, to look at: `page` (a file), `files` (what came in), `store`, `result`."""
    from flyball import systems
    from flyball.runtime import run

    made = _pumps()
    folder = tmp_path_factory.mktemp("pumps")
    page, files, store = folder / "page.py", folder / "files", folder / "store"
    page.write_text(made.PAGE)
    made.write(files)
    result = run.run(systems.load(str(page)), run.Bound(store, files))
    return types.SimpleNamespace(page=page, files=files, store=store, result=result)
