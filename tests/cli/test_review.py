"""What is typed, and what comes of it, is tried in tests/runtime/test_reviewing.py; here is how it reads."""

from flyball.cli import review


def test_what_waits_reads_as_lines():
    one = {
        "id": "3f2a90c1",
        "at": 1767225600000000,
        "key": "m1",
        "answer": 0.31,
        "why": "uncertain",
        "value": 0.9,
    }
    told = {"store": "var", "taken": 2, "waiting": [one], "reviewed": 7}
    assert list(review.lines(told)) == [
        "2 label(s) taken",
        "var: 1 question(s) wait, 7 label(s) were given",
        "  3f2a90c1 2026-01-01 00:00 m1: answered 0.31, uncertain (0.90)",
    ]


def test_a_file_says_who_or_the_command_does(tmp_path):
    file = tmp_path / "said.csv"
    file.write_text("id,label\n3f2a,yes\n90c1,\n")
    assert list(review._read(file, "a.b")) == [("3f2a", "yes", "a.b")]
