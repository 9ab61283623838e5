import json
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball import durable, errors
from flyball.site import spool as spools
from flyball.site.spool import CLASSES, Batch, Received, Spool

puts = st.lists(st.tuples(st.sampled_from(CLASSES), st.integers(0, 400)), max_size=60)


@settings(max_examples=60, deadline=None)
@given(puts=puts, cap=st.integers(600, 6000), reopen=st.integers(0, 60))
def test_nothing_is_lost_below_the_cap_and_above_it_the_least_valuable_first(
    tmp_path_factory, puts, cap, reopen
):
    folder = tmp_path_factory.mktemp("spool")
    spool, put = Spool(folder, cap, sync=False), {kind: [] for kind in CLASSES}
    for place, (kind, size) in enumerate(puts):
        if place == reopen:
            spool = Spool(folder, cap, sync=False)
        spool.put(kind, {"n": place, "x": "y" * size})
        put[kind].append(place)
    kept = {kind: [] for kind in CLASSES}
    for batch in spool.batches():
        kept[batch.kind] += [record["n"] for record in batch.records]
    lost = spool.counts()
    for kind in CLASSES:
        assert len(put[kind]) == len(kept[kind]) + lost.get(kind, 0)
        assert kept[kind] == [n for n in put[kind] if n in set(kept[kind])]
    if not any(lost.values()):
        assert kept == put
    assert sum(file.stat().st_size for file in folder.glob("*.jsonl")) <= cap


def test_worth_goes_first_and_what_is_worth_more_is_never_evicted_for_less(tmp_path):
    spool = Spool(tmp_path, cap=3000)
    spool.put("alarms", {"what": "x" * 1000})
    for _ in range(20):
        spool.put("traces", {"x": "y" * 200})
    assert spool.waiting()["alarms"] == 1
    assert spool.counts()["traces"] > 0
    spool.put("audit", {"act": "z" * 1500})
    assert spool.waiting()["audit"] == spool.waiting()["alarms"] == 1


def test_what_is_acknowledged_goes_and_numbers_never_come_twice(tmp_path):
    spool = Spool(tmp_path)
    assert [spool.put("answers", {"n": n}) for n in range(3)] == [0, 1, 2]
    (batch,) = spool.batches()
    spool.acknowledge(batch._replace(records=batch.records[:2]))
    (rest,) = Spool(tmp_path).batches()
    assert (rest.first, [r["n"] for r in rest.records]) == (2, [2])
    spool = Spool(tmp_path)
    spool.acknowledge(rest)
    assert Spool(tmp_path).put("answers", {"n": 3}) == 3


def test_a_receiver_takes_each_record_once_and_knows_the_gaps():
    got = Received()
    one, two = Batch("e", "answers", 0, ({"n": 0}, {"n": 1})), Batch("e", "answers", 1, ({"n": 1}, {"n": 2}))
    assert [r["n"] for b in (one, two, one) for r in got.take(b)] == [0, 1, 2]
    late = Batch("e", "answers", 7, ({"n": 7},))
    got = Received(json.loads(json.dumps(got.state())))
    assert [r["n"] for r in got.take(late)] == [7]
    assert got.missing == {"answers": 4}


def test_a_torn_last_line_is_cut_off_and_the_rest_is_kept(tmp_path):
    spool = Spool(tmp_path)
    for n in range(3):
        spool.put("outcomes", {"n": n})
    (file,) = tmp_path.glob("outcomes.*")
    file.write_bytes(file.read_bytes()[:-5])
    again = Spool(tmp_path)
    assert again.torn == 1
    assert [r["n"] for b in again.batches() for r in b.records] == [0, 1]


def test_a_flipped_bit_ends_its_segment_and_is_counted(tmp_path):
    spool = Spool(tmp_path)
    for n in range(4):
        spool.put("outcomes", {"n": n})
    (file,) = tmp_path.glob("outcomes.*")
    file.write_bytes(file.read_bytes().replace(b'{"n":1}', b'{"n":7}'))
    again = Spool(tmp_path)
    assert [r["n"] for b in again.batches() for r in b.records] == [0]
    assert again.counts() == {"outcomes": 3}


def test_a_lost_note_begins_a_new_epoch(tmp_path):
    spool = Spool(tmp_path)
    before = spool.epoch
    (tmp_path / "spool.json").write_bytes(b"\0")
    assert Spool(tmp_path).epoch != before


def test_a_full_disk_is_an_error_that_says_so(tmp_path, monkeypatch):
    import errno

    spool = Spool(tmp_path)
    spool.put("answers", {"n": 0})

    def full(operation, path):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(durable, "hook", full)
    with pytest.raises(errors.StoreError, match="free space"):
        spool.put("answers", {"n": 1})
    monkeypatch.setattr(durable, "hook", None)
    assert spool.put("answers", {"n": 1}) == 1


def test_an_unknown_class_is_told(tmp_path):
    with pytest.raises(errors.DeclarationError, match="did you mean 'answers'"):
        Spool(tmp_path).put("answer", {})


def test_killed_in_the_middle_nothing_that_was_kept_is_lost(tmp_path):
    code = (
        "import sys, pathlib\nfrom flyball.site.spool import Spool\n"
        "spool = Spool(pathlib.Path(sys.argv[1]))\n"
        "while True:\n    print(spool.put('answers', {'n': 1}), flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as child:
        told = [int(child.stdout.readline()) for _ in range(40)]
        child.kill()
        told += [int(line) for line in child.stdout if line.endswith("\n")]
    kept = sum(len(batch.records) for batch in Spool(tmp_path).batches())
    assert kept >= len(told) >= 40
    assert spools.SEGMENT == 2**16
