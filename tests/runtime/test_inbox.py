import pytest

from flyball import durable, errors
from flyball.runtime.inbox import Inbox, exposure
from flyball.site.spool import Batch

SEEN = {
    "machine": "s1", "kind": "nxe", "release": "ab" * 32, "stage": "shadow", "since": 0, "until": 9, "answers": 4,
    "outcomes": 4, "difference": 0.5, "squares": 0.2,
}  # fmt: skip


def test_each_record_is_taken_once_over_restarts(tmp_path):
    batch = Batch("e", "exposures", 0, (SEEN,))
    for _ in range(3):
        assert Inbox(tmp_path).take("s1", [batch]) == [batch]
    found, line = Inbox(tmp_path).exposures(0)
    assert [one.answers for one in found] == [4]
    assert Inbox(tmp_path).exposures(line) == ([], line)


def test_a_cut_line_is_as_if_nothing_had_come(tmp_path):
    inbox = Inbox(tmp_path)
    inbox.take("s1", [Batch("e", "alarms", 0, ({"what": "a"},))])
    inbox.take("s1", [Batch("e", "alarms", 1, ({"what": "b"},))])
    (file,) = tmp_path.glob("*.jsonl")
    file.write_bytes(file.read_bytes()[:-4])
    again = Inbox(tmp_path)
    again.take("s1", [Batch("e", "alarms", 1, ({"what": "b"},))])
    assert [record["what"] for _, _, record in again.records("alarms")] == ["a", "b"]


@pytest.mark.parametrize("written", [True, False])
def test_whoever_is_interrupted_while_it_writes_takes_nothing_twice(tmp_path, monkeypatch, written):
    inbox, batch = Inbox(tmp_path), Batch("e", "exposures", 0, (SEEN,))
    inbox.take("s1", [Batch("e", "alarms", 0, ({"what": "a"},))])
    real = durable.append

    def interrupted(path, line):
        if written:
            real(path, line)
        raise KeyboardInterrupt

    monkeypatch.setattr(durable, "append", interrupted)
    with pytest.raises(KeyboardInterrupt):
        inbox.take("s1", [batch])
    monkeypatch.undo()
    found, line = inbox.exposures(0)
    assert len(found) == written and line == 1 + written
    assert inbox.take("s1", [batch]) == [batch]
    assert len(inbox.exposures(0)[0]) == 1 and inbox.exposures(inbox.exposures(0)[1]) == ([], 2)


def test_a_damaged_line_is_told(tmp_path):
    Inbox(tmp_path).take("s1", [Batch("e", "alarms", 0, ({"what": "a"},))])
    (file,) = tmp_path.glob("*.jsonl")
    file.write_bytes(file.read_bytes().replace(b"what", b"that"))
    with pytest.raises(errors.StoreError, match="line 1 is damaged"):
        Inbox(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"answers": -1},
        {"crashes": 1.5},
        {"difference": 5.0},
        {"squares": -0.1},
        {"difference": "x"},
        {"squares": 9.0},
    ],
)
def test_what_cannot_have_been_seen_is_no_exposure(change):
    assert exposure(SEEN) is not None
    assert exposure(SEEN | change) is None


def test_nobody_speaks_for_another_machine(tmp_path):
    inbox = Inbox(tmp_path)
    inbox.take("s2", [Batch("e", "exposures", 0, (SEEN,))])
    assert inbox.exposures(0)[0] == []
