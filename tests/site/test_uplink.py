import json

import pytest

from flyball import errors
from flyball.site.spool import Received, Spool
from flyball.site.uplink import Drop, heard


@pytest.fixture
def spool(tmp_path):
    made = Spool(tmp_path / "spool", epoch="e")
    for n in range(3):
        made.put("answers", {"n": n})
    return made


class Taker:
    """Takes what is told, each record once."""

    def __init__(self):
        self.got, self.records, self.told = Received(), [], {}

    def take(self, machine, report, batches):
        for batch in batches:
            self.records += [record["n"] for record in self.got.take(batch)]
        return batches

    def hear(self, folder):
        return heard(folder, self.take, lambda machine, error: self.told.update({machine: error}))


def send(spool, folder):
    Drop(folder).send("s1", b"report", spool.batches(), spool.acknowledge)


def test_what_was_told_arrives_once_and_is_let_go_of_when_it_has(spool, tmp_path):
    drop, taker = tmp_path / "drop", Taker()
    drop.mkdir()
    send(spool, drop)
    assert taker.hear(drop) == taker.hear(drop) == 1
    assert spool.waiting()["answers"] == 3
    spool.put("answers", {"n": 3})
    send(spool, drop)
    assert spool.waiting()["answers"] == 1
    taker.hear(drop)
    send(spool, drop)
    taker.hear(drop)
    send(spool, drop)
    assert (taker.records, spool.waiting()["answers"]) == ([0, 1, 2, 3], 0)


def test_a_folder_that_is_not_there_is_no_link(spool, tmp_path):
    with pytest.raises(errors.UnreachableError, match="is it mounted"):
        send(spool, tmp_path / "none")
    assert spool.waiting()["answers"] == 3


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"report": 1, "batches": 2}', b"\xff"])
def test_what_no_agent_writes_is_set_aside_and_the_others_are_heard(spool, tmp_path, content):
    drop, taker = tmp_path / "drop", Taker()
    drop.mkdir()
    (drop / "s0.out.json").write_bytes(content)
    send(spool, drop)
    assert taker.hear(drop) == 1
    assert "set aside" in str(taker.told["s0"])


def test_a_batch_that_is_none_is_set_aside(tmp_path):
    taker = Taker()
    batch = {"epoch": "e", "kind": "answers", "first": "0", "records": []}
    (tmp_path / "s1.out.json").write_text(json.dumps({"report": "", "batches": [batch]}))
    assert taker.hear(tmp_path) == 0 and "s1" in taker.told
