"""R10, R15, R16: files sent twice, cut, changed in shape, damaged: good rows kept, none lost, none invented."""

import gzip
import io
import shutil

import numpy as np
import polars as pl
import pytest

from flyball import data, errors
from flyball.data.formats import csv, read
from flyball.runtime.store import Store

ROWS = [
    (f"m{m}", f"2025-01-{d:02d}T{h:02d}:00:00", m + h / 4, d * h)
    for d in range(1, 9)
    for h in range(4)
    for m in (1, 2)
]
TEXT = "machine,at,power,pulses\n" + "".join(f"{k},{t},{p},{n}\n" for k, t, p, n in ROWS)


def taken(tmp_path, fleet, now, name, content, binding=None):
    """The receipt and the store after one file of telemetry."""
    inbox = tmp_path / "one"
    shutil.rmtree(inbox, ignore_errors=True)
    (inbox / "telemetry").mkdir(parents=True)
    (inbox / "telemetry" / name).write_bytes(content)
    folder = tmp_path / "store-of-one"
    shutil.rmtree(folder, ignore_errors=True)
    store = Store.open(folder, fleet)
    return store.ingest([inbox], binding, now=now), store


def facts(store):
    rows = store.rows("telemetry")
    keys = [rows.keys[code] for code in rows.segments()]
    return list(
        zip(
            keys, rows.at.tolist(), rows.floats("power").tolist(), rows.floats("pulses").tolist(), strict=True
        )
    )


def counts(receipt):
    bad = sum(receipt.quarantined["telemetry"].values())
    return receipt.good["telemetry"], bad, receipt.duplicates["telemetry"]


@pytest.fixture
def truth(tmp_path, fleet, now):
    return set(facts(taken(tmp_path, fleet, now, "whole.csv", TEXT.encode())[1]))


def packed_as(kind):
    if kind == "csv":
        return TEXT.encode()
    if kind == "csv.gz":
        return gzip.compress(TEXT.encode(), mtime=0)
    sink = io.BytesIO()
    pl.DataFrame(ROWS, schema=["machine", "at", "power", "pulses"], orient="row").write_parquet(sink)
    return sink.getvalue()


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "parquet"])
def test_a_file_cut_at_every_64th_byte_gives_true_rows_only_and_says_where(tmp_path, fleet, now, truth, kind):
    content = packed_as(kind)
    for cut in range(0, len(content), 64):
        receipt, store = taken(tmp_path, fleet, now, f"cut.{kind}", content[:cut])
        found = facts(store)
        assert set(found) <= truth and len(found) == len(set(found)), f"invented when cut at {cut}"
        if cut and content[:cut][-1:] != b"\n":
            assert any(f"incomplete at byte {cut}" in note for note in receipt.notes), receipt.notes
        if kind == "csv" and cut:
            whole, partial = TEXT[:cut].count("\n") - 1, bool(TEXT[:cut].rpartition("\n")[2])
            assert counts(receipt)[:2] == (max(whole, 0), int(partial) if whole >= 0 else 1)


def test_sabotage_a_reader_that_trusts_the_last_line_invents_a_value(
    tmp_path, fleet, now, truth, monkeypatch
):
    real = csv.read

    def trusting(path, content, numbers=(), *limits):
        return real(path, content + (b"" if content.endswith(b"\n") else b"\n"), numbers)

    monkeypatch.setitem(read.READERS, ".csv", trusting)
    invented = False
    for cut in range(64, len(TEXT), 64):
        invented |= not set(facts(taken(tmp_path, fleet, now, "cut.csv", TEXT[:cut].encode())[1])) <= truth
    assert invented


def test_sent_three_times_under_other_names_and_packed_otherwise_changes_nothing(
    tmp_path, fleet, inbox, now, content, undisturbed
):
    store = Store.open(tmp_path / "store", fleet)
    store.ingest([inbox], now=now)
    for number in range(3):
        again = tmp_path / f"again-{number}"
        shutil.copytree(inbox, again)
        (again / "telemetry" / "2025-01-01.csv").rename(again / "telemetry" / f"other-{number}.csv")
        assert not store.ingest([again], now=now).changed
        assert content(store) == undisturbed
    text = (inbox / "telemetry" / "2025-01-01.csv").read_bytes()
    (again / "telemetry" / "packed.csv.gz").write_bytes(gzip.compress(text))
    assert store.ingest([again], now=now).changed
    after = content(store)
    assert after["telemetry"] == undisturbed["telemetry"] and after["events"] == undisturbed["events"]


def test_sabotage_without_dropping_what_came_again_rows_double(
    tmp_path, fleet, inbox, now, content, undisturbed, monkeypatch
):
    monkeypatch.setattr("flyball.runtime.store.once", lambda frame, table: frame)
    store = Store.open(tmp_path / "store", fleet)
    store.ingest([inbox], now=now)
    (inbox / "telemetry" / "b.csv").write_bytes(
        (inbox / "telemetry" / "2025-01-01.csv").read_bytes() + b"m9,2025-01-01,1,1\n"
    )
    store.ingest([inbox], now=now)
    assert len(content(store)["telemetry"][2]) > len(undisturbed["telemetry"][2]) + 1


def test_an_event_that_happened_twice_stays_two_and_one_sent_twice_stays_one(tmp_path, fleet, now):
    inbox = tmp_path / "in"
    inbox.mkdir()
    head, twice = "machine,at,code\n", "m1,2025-01-01,A\nm1,2025-01-01,A\n"
    (inbox / "events-1.csv").write_text(head + twice)
    (inbox / "events-2.csv").write_text(head + twice + "m1,2025-01-02,B\n")
    store = Store.open(tmp_path / "store", fleet)
    store.ingest([inbox], now=now)
    assert store.rows("events").words("code").texts() == ["A", "A", "B"]


def every(n, value, column):
    """A mutation that puts a value into every n-th cell of a column."""
    return lambda f: f.with_columns(
        pl.when(pl.int_range(pl.len()) % n == 0).then(pl.lit(value)).otherwise(pl.col(column)).alias(column)
    )


MUTATIONS = {
    "extra": lambda f: f.with_columns(pl.lit(1).alias("humidity")),
    "missing": lambda f: f.drop("power"),
    "renamed": lambda f: f.rename({"power": "pwoer"}),
    "no key": lambda f: f.drop("machine"),
    "mistyped": lambda f: every(5, "?", "power")(f.with_columns(pl.col("power").cast(pl.String))),
    "reordered": lambda f: f.select(reversed(f.columns)).reverse(),
    "doubled": lambda f: pl.concat([f, f]),
    "not finite": every(7, float("inf"), "power"),
    "nan": every(7, float("nan"), "power"),
    "clock": every(4, "1970-01-01", "at"),
    "empty": lambda f: f.head(0),
}


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_changed_shape_keeps_the_good_rows_and_counts_all_others(
    tmp_path, fleet, now, truth, mutation, kind
):
    frame = MUTATIONS[mutation](pl.DataFrame(ROWS, schema=["machine", "at", "power", "pulses"], orient="row"))
    sink = io.BytesIO()
    if kind == "jsonl":
        plain = frame.with_columns(pl.col(pl.Float64).fill_nan(None)) if mutation == "nan" else frame
        lines = [
            repr(row).replace("'", '"').replace("inf", "Infinity").replace("None", "null")
            for row in plain.to_dicts()
        ]
        sink.write("".join(f"{line}\n" for line in lines).encode())
    else:
        frame.write_csv(sink) if kind == "csv" else frame.write_parquet(sink)
    receipt, store = taken(tmp_path, fleet, now, f"a.{kind}", sink.getvalue())
    good, bad, double = counts(receipt)
    assert good + bad + double == frame.height
    found = facts(store)
    assert len(found) == good
    known = {(key, at): (power, pulses) for key, at, power, pulses in truth}
    for key, at, power, pulses in found:
        true_power, true_pulses = known[key, at]
        assert pulses == true_pulses and (power == true_power or np.isnan(power))
    total = len(ROWS)
    assert {
        "extra": good == total and receipt.extra == {"telemetry": ["humidity"]},
        "missing": good == total and "telemetry.power" in store.absent() and "telemetry.pulses" not in store.absent(),
        "renamed": good == total and "did you mean 'pwoer'?" in receipt.absent.get("telemetry.power", ""),
        "no key": good == 0 and bad == total,
        "mistyped": bad == len(range(0, total, 5)),
        "reordered": set(found) == truth,
        "doubled": set(found) == truth and double == total,
        "not finite": bad == len(range(0, total, 7)),
        "nan": good == total and sum(np.isnan(row[2]) for row in found) == len(range(0, total, 7)),
        "clock": bad == len(range(0, total, 4)) and "clock" in next(iter(receipt.quarantined["telemetry"])),
        "empty": good == 0 and bad == 0,
    }[mutation], receipt.lines()  # fmt: skip


def test_a_unit_that_cannot_be_is_an_error_before_anything_is_taken_in(tmp_path, fleet, inbox, now):
    store = Store.open(tmp_path / "store", fleet)
    with pytest.raises(errors.DataError, match=r"'°C' cannot become 'kW'"):
        store.ingest([inbox], data.Binding("north", units={"telemetry.power": "°C"}), now=now)
    assert store.sources().height == 0


def test_images_that_are_missing_cut_or_outside_are_quarantined(tmp_path, fleet, now, npy):
    folder = tmp_path / "in" / "maps"
    folder.mkdir(parents=True)
    whole = npy(np.ones((3, 3), np.uint8))
    (tmp_path / "in" / "secret.npy").write_bytes(whole)
    (folder / "whole.npy").write_bytes(whole)
    (folder / "cut.npy").write_bytes(whole[:-1])
    (folder / "pickled.npy").write_bytes(npy(np.zeros((2, 2), np.dtype("O"))))
    names = ["whole.npy", "cut.npy", "gone.npy", "../secret.npy", "pickled.npy", ""]
    (folder / "a.csv").write_text(
        "machine,at,map,kind\n" + "".join(f"m1,2025-01-01,{name},ring\n" for name in names)
    )
    store = Store.open(tmp_path / "store", fleet)
    receipt = store.ingest([tmp_path / "in"], now=now)
    assert receipt.good["maps"] == 2 and sum(receipt.quarantined["maps"].values()) == 4
    assert [image.shape for image in store.rows("maps").columns["map"].load()] == [(3, 3), (0, 0)]


@pytest.mark.parametrize(
    "place", ["tables/telemetry/*.parquet", "quarantine/*.parquet", "sources/*.parquet", "frames/*.parquet"]
)
def test_one_flipped_bit_is_noticed_when_it_is_read(tmp_path, fleet, inbox, now, content, place, monkeypatch):
    folder = tmp_path / "store"
    Store.open(folder, fleet).ingest([inbox], now=now)
    path = next(folder.glob(place))
    whole = bytearray(path.read_bytes())
    unnoticed = 0
    for where in range(0, len(whole), max(1, len(whole) // 16)):
        flipped = bytearray(whole)
        flipped[where] ^= 1
        path.write_bytes(flipped)
        with pytest.raises(errors.TrustError):
            content(Store.open(folder, fleet))
        with monkeypatch.context() as sabotage:
            sabotage.setattr("flyball.runtime.journal.Journal.verify", lambda self, path, file: None)
            sabotage.setattr("flyball.data.images.digest", lambda image: "any")
            sabotage.setattr(
                "flyball.data.frames.Shards.load", lambda self, digest, size=None: np.zeros((1, 1))
            )
            try:
                content(Store.open(folder, fleet))
                unnoticed += 1
            except Exception:
                pass
    assert unnoticed, "the digests were not what noticed it"
    path.write_bytes(whole)
    content(Store.open(folder, fleet))
