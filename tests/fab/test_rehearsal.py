import pytest
from tests import pumps

from flyball import errors, part, serving
from flyball.fab import rehearsal
from flyball.units import days


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A run of the pumps with a rollout on their page."""
    from flyball import systems
    from flyball.runtime import run

    place = tmp_path_factory.mktemp("pumps")
    pumps.write(place / "inbox")
    (place / "pumps_out.py").write_text(pumps.PAGE)
    page = systems.load(str(place / "pumps_out.py"))
    staged = serving.Staged(shadow=days(5), canary=0.1, hold=days(2), least=5, silent=0.5)
    page = part.replace(page, serving=part.replace(page.serving, rollout=staged))
    found = run.run(page, run.Bound(place / "store", place / "inbox"))
    return found, place / "store"


def test_a_release_goes_out_to_the_machines_that_were_asked(ran):
    found, store = ran
    kinds = {name: "ab"[n % 2] for n, name in enumerate(sorted(found.x.moments.keys))}
    told = rehearsal.rehearse(found, store, kinds)
    assert (told["running"], told["machines"]) == (len(kinds), len(kinds)), told
    assert [one["act"] for one in told["acts"]][:2] == ["shipped", "promoted to canary"]
    assert any(signed.startswith("wave") for signed in told["signed"])
    assert rehearsal.rehearse(found, store, kinds) == told
    drilled = rehearsal.rehearse(found, store, kinds, drill="b")
    assert drilled["acts"][-1]["act"] == "rolled back" and "on b" in drilled["acts"][-1]["why"]
    assert drilled["running"] == 0 and drilled["reached"] < len(kinds)


def test_a_kind_that_no_machine_is_cannot_be_drilled(ran):
    found, store = ran
    with pytest.raises(errors.DeclarationError, match="no machine is a 'c'"):
        rehearsal.rehearse(found, store, {"p": "a"}, drill="c")


def test_golden_vectors_that_come_out_otherwise_are_refused(ran, tmp_path):
    import shutil

    import numpy as np

    from flyball.serving import release

    found, store = ran
    wrong = tmp_path / "wrong"
    shutil.copytree(store / "releases" / found.release, wrong)
    with np.load(wrong / "golden_answers.npz") as told:
        answers = {name: told[name] for name in told}
    answers["answers"] = answers["answers"] + 0.1
    np.savez(wrong / "golden_answers.npz", **answers)
    (wrong / "manifest.json").unlink()
    with pytest.raises(errors.GateError, match="golden vectors differ"):
        rehearsal.checked(wrong, release.sealed(wrong))
