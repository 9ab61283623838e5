from flyball import errors
from flyball.torture import offers


def test_a_draft_that_is_taken_in_and_one_that_is_refused_otherwise_are_named(tmp_path):
    def write(draft, name):
        (draft / f"{name}.txt").write_text("harmless" if name == "good" else "x")
        if name == "link":
            (draft / "more.txt").symlink_to("/etc/passwd")

    found = offers._admitted(tmp_path / "a", ["good"], write, errors.TrustError, False)
    assert found == "good"
    assert offers._admitted(tmp_path / "b", ["link"], write, errors.TrustError, False) == ""
