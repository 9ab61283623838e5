"""Small releases, made once."""

import pytest

from flyball.torture import small


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
def patched(tmp_path):
    """An interpreter for scorers that runs some code first: `patched(code)` is its path."""
    import sys

    def made(code):
        place = tmp_path / f"python-{len(list(tmp_path.iterdir()))}"
        body = f"import sys\nfrom flyball.site import answering, process, scorer\n{code}\n"
        body += "raise SystemExit(process.main(sys.argv[-2:]))\n"
        (tmp_path / f"{place.name}.py").write_text(body)
        place.write_text(f'#!/bin/sh\nexec {sys.executable} {tmp_path}/{place.name}.py "$@"\n')
        place.chmod(0o755)
        return str(place)

    return made
