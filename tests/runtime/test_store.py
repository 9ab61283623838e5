import gzip

import hypothesis
import hypothesis.strategies as st
import numpy as np
import polars as pl
import pytest

from flyball import data, errors, evidence, units
from flyball.features import stage as features
from flyball.runtime import store as stores
from flyball.runtime.store import Store

NOW = 1_767_225_600_000_000
HOUR = int(units.hours(1))
TABLE = data.Table(
    "telemetry", columns={"power": "kW", "state": "category", "on": "bool", "pulses": "count"}, arrives=units.hours(1),
    unique=("at",),
)  # fmt: skip
FLEET = data.Fleet("machine", data.WallClock(), (TABLE,))


def send(store, tmp_path, name, text, **more):
    folder = tmp_path / "sent"
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return store.ingest([path], now=NOW, **more)


HEAD = "machine,at,power,state,on,pulses\n"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """What fsync is for is tested under tests/faults; here it would only take time."""
    monkeypatch.setattr("os.fsync", lambda handle: None)


@pytest.fixture
def store(tmp_path):
    return Store.open(tmp_path / "store", FLEET)


def test_rows_come_back_machine_by_machine_with_their_kinds(store, tmp_path):
    send(
        store,
        tmp_path,
        "a.csv",
        HEAD + "m2,2025-01-02,1.5,b,true,3\nm1,2025-01-03,,,,\nm1,2025-01-01,2,a,no,4\n",
    )
    rows = store.rows("telemetry")
    assert rows.keys == ("m1", "m2") and rows.starts.tolist() == [0, 2, 3] and rows.unique == ("at",)
    assert np.array_equal(rows.floats("power"), [2, np.nan, 1.5], equal_nan=True)
    assert rows.words("state").texts() == ["a", None, "b"]
    assert np.array_equal(rows.floats("on"), [0, np.nan, 1], equal_nan=True)
    assert (rows.seen - rows.at == HOUR).all()


def test_nothing_taken_in_is_no_rows(store):
    rows = store.rows("telemetry")
    assert len(rows) == 0 and rows.keys == () and set(rows.columns) == set(TABLE.columns)
    assert store.partitions("telemetry") == {} and store.horizon() is None and store.quarantine() == {}


def test_cuts_by_at_by_seen_and_by_partition(store, tmp_path):
    days = "".join(f"m1,2025-01-{d:02d}T12:00:00,{d},a,,\n" for d in range(1, 10))
    send(store, tmp_path, "a.csv", HEAD + days)
    at = store.rows("telemetry").at
    assert len(store.rows("telemetry", since=int(at[2]), until=int(at[5]))) == 3
    assert len(store.rows("telemetry", as_of=int(at[4]) + HOUR)) == 5
    assert len(store.rows("telemetry", as_of=int(at[4]) + HOUR - 1)) == 4
    assert store.rows("telemetry", partitions=["2025-01-03", "2025-01-04"]).floats("power").tolist() == [3, 4]
    assert store.horizon() == int(at[-1]) + HOUR


def test_a_digest_of_a_partition_changes_exactly_when_a_file_adds_to_it(store, tmp_path):
    send(store, tmp_path, "a.csv", HEAD + "m1,2025-01-01,1,a,,\nm1,2025-01-02,1,a,,\n")
    first = store.partitions("telemetry")
    send(store, tmp_path, "b.csv", HEAD + "m2,2025-01-02,1,a,,\nm2,2025-01-03,1,a,,\n")
    second = store.partitions("telemetry")
    assert set(first) == {"2025-01-01", "2025-01-02"} and second["2025-01-01"] == first["2025-01-01"]
    assert second["2025-01-02"] != first["2025-01-02"] and "2025-01-03" in second
    digest = store.sources_digest()
    assert not send(store, tmp_path, "c.csv", HEAD + "m1,2025-01-01,1,a,,\nm1,2025-01-02,1,a,,\n").changed
    assert store.partitions("telemetry") == second and store.sources_digest() == digest
    other = Store.open(tmp_path / "other", FLEET)
    send(other, tmp_path, "b2.csv", HEAD + "m2,2025-01-02,1,a,,\nm2,2025-01-03,1,a,,\n")
    send(other, tmp_path, "a2.csv", HEAD + "m1,2025-01-01,1,a,,\nm1,2025-01-02,1,a,,\n")
    assert other.partitions("telemetry") == second


def test_a_correction_changes_what_is_known_later_and_not_what_was_known_then(store, tmp_path):
    send(store, tmp_path, "a.csv", "machine,at,seen,power\nm1,2025-01-01,2025-01-01,1\n")
    cut = int(store.rows("telemetry").seen[0]) + HOUR
    before = store.rows("telemetry", as_of=cut)
    send(store, tmp_path, "b.csv", "machine,at,seen,power\nm1,2025-01-01,2025-01-05,9\n")
    after = store.rows("telemetry", as_of=cut)
    assert after.floats("power").tobytes() == before.floats("power").tobytes() and len(after) == 1
    assert store.rows("telemetry").known(None).floats("power").tolist() == [9]


def test_rows_sent_again_in_a_longer_file_are_there_once(store, tmp_path):
    send(store, tmp_path, "a.csv", HEAD + "m1,2025-01-01,1,a,,\n")
    receipt = send(store, tmp_path, "b.csv", HEAD + "m1,2025-01-01,1,a,,\nm1,2025-01-02,2,a,,\n")
    assert receipt.good["telemetry"] == 2 and store.rows("telemetry").floats("power").tolist() == [1, 2]


row = st.tuples(
    st.sampled_from(["m1", "m2"]), st.integers(0, 2), st.integers(0, 3), st.sampled_from(["a", "b", None])
)


@hypothesis.given(st.lists(st.lists(row, max_size=6), min_size=1, max_size=4), st.booleans())
def test_once_is_the_slow_reference(files, unique):
    table = data.Table("t", columns={"c": "category"}, unique=("at",) if unique else ())
    every = [
        (*row, f"s{i}") for i, rows in enumerate(files) for row in (dict.fromkeys(rows) if unique else rows)
    ]
    schema = {"key": pl.String, "at": pl.Int64, "seen": pl.Int64, "c": pl.String, "source": pl.String}
    found = stores.once(pl.DataFrame(every, schema=schema, orient="row"), table).drop("source").rows()
    if unique:
        expected = list(dict.fromkeys(row[:4] for row in every))
    else:
        expected = []
        for fact in dict.fromkeys((k, at, c) for k, at, _, c, _ in every):
            seen = {}
            for k, at, s, c, source in every:
                if (k, at, c) == fact:
                    seen.setdefault(source, []).append(s)
            most = max(map(len, seen.values()))
            ranked = [sorted(times) for times in seen.values()]
            expected += [(*fact[:2], min(t[n] for t in ranked if len(t) > n), fact[2]) for n in range(most)]
    assert sorted(found, key=repr) == sorted(expected, key=repr)


def test_a_column_that_a_file_lacks_is_absent_with_the_reason(store, tmp_path):
    send(store, tmp_path, "a.csv", HEAD + "m1,2025-01-01,1,a,,\n")
    send(store, tmp_path, "b.csv", "machine,at,state,on,pulses\nm1,2025-01-02,a,,\n")
    assert list(store.absent()) == ["telemetry.power"] and "1 of 2 files" in store.absent()["telemetry.power"]
    assert "b.csv" in store.absent()["telemetry.power"]


def test_a_page_that_reads_a_column_more_takes_the_same_file_in_again(store, tmp_path):
    text = "machine,at,power,state,on,pulses,temperature\nm1,2025-01-01,1,a,,,20\n"
    send(store, tmp_path, "a.csv", text)
    wider = data.Fleet("machine", data.WallClock(), (data.Table(
        "telemetry", columns={**TABLE.columns, "temperature": "°C"}, arrives=units.hours(1), unique=("at",)
    ),))  # fmt: skip
    again = Store.open(tmp_path / "store", wider)
    assert np.isnan(again.rows("telemetry").floats("temperature")).all()
    assert send(again, tmp_path, "a.csv", text).changed
    assert again.rows("telemetry").floats("temperature").tolist() == [20] and not again.absent()
    assert not send(again, tmp_path, "a.csv", text).changed
    assert len(Store.open(tmp_path / "store", FLEET).rows("telemetry")) == 1


def test_a_column_declared_otherwise_than_it_is_held_is_refused(store, tmp_path):
    send(store, tmp_path, "a.csv", HEAD + "m1,2025-01-01,1,a,,\n")
    changed = data.Table("telemetry", columns={"power": "W"}, unique=("at",))
    with pytest.raises(errors.StoreError, match=r"telemetry\.power as 'kW'.*'W'"):
        Store.open(tmp_path / "store", data.Fleet("machine", data.WallClock(), (changed,)))


def test_without_a_wall_clock_partitions_are_groups_of_machines(tmp_path):
    fleet = data.Fleet(
        "machine", data.Counter("cycle"), (data.Table("cycles", columns={"power": "kW"}, unique=("at",)),)
    )
    store = Store.open(tmp_path / "store", fleet)
    send(
        store,
        tmp_path,
        "a.csv",
        "machine,cycle,power\n" + "".join(f"m{m},{c},1\n" for m in range(40) for c in range(3)),
    )
    parts = store.partitions("cycles")
    assert set(parts) == {store.partition_of(f"m{m}") for m in range(40)} and store.horizon() is None
    one = store.rows("cycles", partitions=[store.partition_of("m7")])
    assert "m7" in one.keys and len(one) == 3 * len(one.keys)


def test_answers_and_outcomes_are_recorded_once(store):
    moments = features.Moments.of(["m1", "m2"], [NOW, NOW])
    assert store.answer(moments, np.array([0.1, 0.2]), "r1") == 2
    assert store.answer(moments, np.array([0.1, 0.2]), "r1") == 0
    assert store.answer(moments, np.array([0.3, 0.2]), "r2") == 2
    answers = store.answers()
    assert answers.floats("answer").tolist() == [0.1, 0.3, 0.2, 0.2] and answers.words("release").labels == (
        "r1",
        "r2",
    )
    outcome = evidence.Outcome("m1", NOW, 0.1, float("nan"), "pending", 5)
    assert store.outcomes([outcome]) == 1 and store.outcomes([outcome]) == 0
    assert store.outcomes([evidence.Outcome("m1", NOW, 0.1, 1.0, "known", 5)]) == 1
    assert store.frame("outcomes")["state"].to_list() == ["pending", "known"]


def test_classes_are_answered_by_the_greatest(store):
    store.answer(features.Moments.of(["m1"], [NOW]), np.array([[0.1, 0.2, 0.6, 0.1]]), "r")
    assert store.answers().floats("answer").tolist() == [2.0]


def test_an_internal_table_takes_rows_once_per_name(store):
    frame = pl.DataFrame({"key": ["m1"], "at": [1]})
    assert store.append("outcomes", frame, "x") and not store.append("outcomes", frame, "x")
    assert store.frame("outcomes").height == 1
    with pytest.raises(errors.StoreError, match="ingest"):
        store.append("telemetry", frame, "x")


def test_steps_are_kept_whole_under_their_key(store):
    assert store.step("k") is None
    place = store.keep("k", lambda folder: (folder / "a").write_text("1"))
    assert store.step("k") == place and (place / "a").read_text() == "1"
    with pytest.raises(ZeroDivisionError):
        store.keep("broken", lambda folder: 1 / 0)
    assert store.step("broken") is None


def test_small_states_and_the_audit(store, tmp_path):
    assert store.state("loop") == {}
    store.state("loop", {"n": 1})
    assert Store.open(tmp_path / "store", FLEET).state("loop") == {"n": 1}
    store.audit("run", {"release": None})
    assert "run" in (tmp_path / "store" / "audit.jsonl").read_text()


def test_many_commits_do_not_make_reading_slower_without_bound(store, tmp_path):
    for day in range(40):
        send(store, tmp_path, f"{day}.csv", HEAD + f"m1,2024-01-01T{day % 24:02d}:{day:02d}:00,{day},a,,\n")
    assert len(store.journal.files("tables/telemetry")) <= 30 and len(store.rows("telemetry")) == 40


def test_words_and_floats():
    words = stores.words(pl.Series(["b", None, "a", "é"], dtype=pl.String))
    assert (
        words.labels == ("a", "b", "é")
        and words.codes.tolist() == [1, -1, 0, 2]
        and words.codes.dtype == np.int32
    )
    assert stores.words(pl.Series([], dtype=pl.String)).labels == ()
    assert stores.floats(pl.Series([True, None])).tolist()[0] == 1.0


def test_rows_whose_files_vanished_can_be_sent_again(store, tmp_path):
    text = HEAD + "m1,2025-01-01,1,a,,\n"
    send(store, tmp_path, "a.csv", text)
    next((tmp_path / "store" / "tables" / "telemetry").glob("*.parquet")).unlink()
    again = Store.open(tmp_path / "store", FLEET)
    assert len(again.rows("telemetry")) == 0 and "send its files again" in "".join(again.journal.notes)
    assert send(again, tmp_path, "a.csv", text).changed
    assert again.rows("telemetry").floats("power").tolist() == [1]


def test_outcomes_are_versions_with_when_they_were_known(store):
    def told(truth, state):
        return [evidence.Outcome("m1", NOW, 0.1, truth, state, 5)]

    assert store.outcomes(told(float("nan"), "pending"), NOW) == 1
    assert store.outcomes(told(1.0, "known"), NOW + 9) == 1
    # A correction is a version, and so is the correction of that one back to what it was.
    assert (
        store.outcomes(told(0.0, "known"), NOW + 20) == 1
        and store.outcomes(told(0.0, "known"), NOW + 21) == 0
    )
    assert store.outcomes(told(1.0, "known"), NOW + 30) == 1
    known = {cut: store.outcomes_at(NOW + cut)["truth"].to_list() for cut in (8, 9, 25, 30)}
    assert known.pop(8)[0] != known[9][0] and known == {9: [1.0], 25: [0.0], 30: [1.0]}
    assert store.frame("outcomes").height == 4
    assert (store.labelled(None), store.labelled(NOW + 29), store.labelled(NOW + 30)) == (1, 1, 0)


def test_a_shadow_answers_beside_what_serves(store):
    asked = features.Moments.of(["m1"], [NOW])
    answers = np.array([0.4])
    assert store.answer(asked, answers, "a", "shadow") == 1 and store.answer(asked, answers, "a") == 1
    assert store.answer(asked, answers, "a", "shadow") == store.answer(asked, answers, "a") == 0
    assert sorted(store.answers().words("role").texts()) == ["serving", "shadow"]
