import json

import pytest

from flyball import audit, errors


@pytest.fixture
def written(tmp_path):
    log = audit.Audit(tmp_path / "audit.jsonl")
    for number in range(5):
        log.append("run", {"number": number, "text": "é" * 3000})
    return log


def test_acts_come_back_in_order(written):
    assert [entry["told"]["number"] for entry in written.entries()] == list(
        range(5)
    ) and written.verify() == 5


def test_what_is_told_of_a_release_is_found_by_the_start_of_its_digest(written):
    for digest in ("abcd", "abff", "abcd"):
        written.append("shipped", {"release": digest})
    assert [len(written.about(start)) for start in ("abcd", "ab", "ff", "")] == [2, 3, 0, 8]


@pytest.mark.parametrize("number", range(1, 6))
def test_a_changed_line_is_named(written, number):
    lines = written.path.read_text().splitlines()
    entry = json.loads(lines[number - 1])
    entry["told"]["number"] = 99
    lines[number - 1] = json.dumps(entry, sort_keys=True, separators=(",", ":"))
    written.path.write_text("\n".join(lines) + "\n")
    with pytest.raises(errors.TamperedError, match=f"line {number} "):
        written.verify()


def test_a_line_taken_out_or_doubled_is_named(written):
    lines = written.path.read_text().splitlines(True)
    written.path.write_text("".join(lines[:2] + lines[3:]))
    with pytest.raises(errors.TamperedError, match="line 3 "):
        written.verify()
    written.path.write_text("".join([*lines[:2], lines[1], *lines[2:]]))
    with pytest.raises(errors.TamperedError, match="line 3 "):
        written.verify()


def test_a_torn_last_line_was_never_acknowledged(written):
    content = written.path.read_bytes()
    written.path.write_bytes(content[:-7])
    assert len(list(written.entries())) == 4 and written.verify() == 4
    written.append("run", {"number": 5})
    assert written.verify() == 5 and [entry["told"]["number"] for entry in written.entries()] == [
        0,
        1,
        2,
        3,
        5,
    ]


def test_nothing_written_is_nothing(tmp_path):
    log = audit.Audit(tmp_path / "audit.jsonl")
    assert list(log.entries()) == [] and log.verify() == 0
