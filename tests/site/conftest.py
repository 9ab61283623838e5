"""Small releases, made once."""

import pytest

from flyball.fab.sites import Sites
from flyball.torture import small
from flyball.torture.fleet import ROLLOUT


@pytest.fixture(scope="session")
def releases(tmp_path_factory):
    """Folders of releases, each named by its digest: two that are well, one wrong, one that cannot be loaded."""
    folder = tmp_path_factory.mktemp("releases")
    return {
        "one": small.made(folder / "one", "logistic", seed=1),
        "two": small.made(folder / "two", "logistic", seed=2),
        "trees": small.made(folder / "trees", "trees"),
        "wrong": small.made(folder / "wrong", "logistic", wrong=0.25),
        "broken": small.made(folder / "broken", "logistic", broken=True),
        "unsure": small.made(folder / "unsure", "logistic", golden=0),
    }


@pytest.fixture
def world(tmp_path):
    """Two simulated machines of one kind with their controller."""
    return Sites(tmp_path, 1, {"m0": "nxe", "m1": "nxe"}, ROLLOUT)


@pytest.fixture
def patched(tmp_path):
    """An interpreter for scorers that runs some code first: `patched(code)` is its path."""
    return lambda code: small.interpreter(tmp_path / "patched", code)


@pytest.fixture(scope="session")
def router(releases):
    """A router that serves the small release of trees."""
    from flyball.site import router

    with router.Router() as one:
        one.switch(releases["trees"], releases["trees"].name)
        yield one


@pytest.fixture(scope="session")
def endpoint(router):
    """An endpoint on free ports, with caps small enough to be met."""
    from flyball.site import endpoint, endpoint_access

    with endpoint.Endpoint(router, "pump", endpoint_access.Bind(port=0, grpc_port=0)) as one:
        yield one
