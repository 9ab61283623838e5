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


@pytest.fixture(scope="session")
def pumps(tmp_path_factory: pytest.TempPathFactory) -> types.SimpleNamespace:
    """A small page that was run once, to look at: `page` (a file), `files` (what came in), `store`, `result`."""
    from flyball import systems
    from flyball.runtime import run

    place = pathlib.Path(__file__).with_name("pumps.py")
    spec = importlib.util.spec_from_file_location("pumps", place)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    folder = tmp_path_factory.mktemp("pumps")
    page, files, store = folder / "page.py", folder / "files", folder / "store"
    page.write_text(made.PAGE)
    made.write(files)
    result = run.run(systems.load(str(page)), run.Bound(store, files))
    return types.SimpleNamespace(page=page, files=files, store=store, result=result)
