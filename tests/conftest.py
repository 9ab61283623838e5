"""What every test may ask for."""

import os
import pathlib

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
