"""The whole examination, on made folders and on the public data."""

import gzip
import json
import os
import tempfile
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import numpy as np
import polars as pl
import pytest

from flyball import errors
from flyball.data.doctor import examine, page, plan


def whats(told, kind):
    return [finding["what"] for finding in told["findings"] if finding["kind"] == kind]


def test_splits_in_files_of_their_own_are_compared(tmp_path):
    rng = np.random.default_rng(13)
    frame = pl.DataFrame(rng.normal(size=(300, 6)), schema=[f"x{place}" for place in range(6)])
    frame.head(200).write_csv(tmp_path / "train.csv")
    pl.concat([frame.tail(100), frame.head(7)]).write_csv(tmp_path / "test.csv")
    told = examine.folder_of(tmp_path)
    assert whats(told, "twins") == ["7 of 107 rows of 'test' stand in 'train' too, value for value"]
    assert told["families"][0]["tables"] == ["test", "train"] or told["families"][0]["tables"] == [
        "train",
        "test",
    ]


def test_a_folder_with_nothing_to_read_is_told_and_no_error(tmp_path):
    (tmp_path / "notes.md").write_text("words")
    told = examine.folder_of(tmp_path)
    assert (told["tables"], told["images"], told["findings"]) == ([], [], [])
    assert told["passed"] == [("notes.md", "no format that is read (.md)")]


def test_no_folder_is_an_error(tmp_path):
    with pytest.raises(errors.DataError):
        examine.folder_of(tmp_path / "none")


def test_a_hostile_folder_names_and_counts_everything(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "link.csv").symlink_to("/dev/zero")
    (tmp_path / "bomb.csv.gz").write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 200_000))
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(os.urandom(50_000))[:-9_000])
    (tmp_path / "noise.csv").write_bytes(os.urandom(5_000))
    (tmp_path / "noise.parquet").write_bytes(b"PAR1" + os.urandom(5_000))
    (tmp_path / "deep.jsonl").write_bytes(b'{"a":' * 50_000 + b"\n")
    (tmp_path / "nul.csv").write_bytes(b"n,u\n" + b"\x00,\x00\n" * 50)
    (tmp_path / "wide.csv").write_text(
        ",".join(f"c{n}" for n in range(3_000)) + "\n" + ",".join("1" * 3_000) + "\n"
    )
    (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n" + os.urandom(100))
    (tmp_path / "x.npz").write_bytes(os.urandom(100))
    (tmp_path / "x.pkl").write_bytes(b"cos\nsystem\n(S'touch /tmp/owned'\ntR.")
    told = examine.folder_of(tmp_path)
    named = {name for name, _ in (*told["passed"], *told["unread"])}
    profiled = {table["file"] for table in told["tables"]}
    everything = {path.name for path in tmp_path.iterdir()}
    assert named | profiled >= everything - {"x.png"}
    assert {"pipe.csv", "link.csv", "noise.parquet", "deep.jsonl", "x.npz", "x.pkl"} <= named


def test_a_million_short_lines_are_profiled_within_the_bound(tmp_path, monkeypatch):
    from flyball.data.doctor import pieces

    monkeypatch.setattr(pieces.read, "__defaults__", (20_000, 10**6))
    (tmp_path / "long.csv").write_text("a,b\n" + "1.5,2\n" * 200_000)
    (table,) = examine.folder_of(tmp_path)["tables"]
    assert table["rows"] <= 20_000
    assert f"{table['rows']} of about" in table["sampled"][0]


WORDS = st.sampled_from(
    [
        "",
        "a",
        "NaN",
        "-999",
        "1",
        "1.5",
        "1e400",
        "2026-01-01",
        "2026-13-45",
        "true",
        '"',
        "x,y",
        "1;2",
        "1,5",
        "\x00",
        "é",
    ]
)
HEADS = st.sampled_from(
    ["machine", "time", "label", "failed", "x", "seen", "at", "split", "temp_c", "", "Ünit"]
)
ENDINGS = st.sampled_from(
    [".csv", ".csv", ".txt", ".tsv", ".jsonl", ".log", ".csv.gz", ".parquet", ".npy", ".npz", ".png", ".zip"]
)


@st.composite
def sheets(draw):
    """Text that is nearly a table, and sometimes only bytes."""
    if draw(st.integers(0, 4)) == 0:
        return draw(st.binary(max_size=200))
    separator = draw(st.sampled_from([",", ";", "\t", " "]))
    head = draw(st.lists(HEADS, min_size=1, max_size=5))
    rows = draw(st.lists(st.lists(WORDS, min_size=1, max_size=6), max_size=8)) * draw(
        st.sampled_from([1, 30])
    )
    return "\n".join(separator.join(cells) for cells in [head, *rows]).encode() + b"\n"


@hypothesis.given(
    st.lists(st.tuples(st.sampled_from(["a", "train", "m-1", "2026"]), ENDINGS, sheets()), max_size=4)
)
@hypothesis.settings(max_examples=60, suppress_health_check=list(hypothesis.HealthCheck))
def test_whatever_lies_there_is_told_and_its_page_is_accepted_or_says_todo(files):
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        for stem, ending, content in files:
            (place / f"{stem}{ending}").write_bytes(content)
        told = examine.folder_of(place)
        proposed = page.propose(told)
        json.dumps(told, allow_nan=True)
        named = {name for name, _ in (*told["passed"], *told["unread"])}
        named |= {file for table in told["tables"] for file in table["names"]}
        assert {path.name for path in place.iterdir()} <= named | {name.partition(":")[0] for name in named}
        if proposed["text"]:
            names: dict = {}
            exec(compile(proposed["text"], "page", "exec"), names)
            problems = [str(problem) for problem in names["system"].problems()]
            assert [problem for problem in problems if plan.TODO not in problem] == []
            assert bool(problems) == proposed["todo"]


# The figures of the public sets, asserted where the data lies.


def test_secom(data_folder):
    told = examine.folder_of(data_folder / "secom")
    tables = {table["name"]: table for table in told["tables"]}
    whole, recovered = tables["secom_complete_590_subset392"], tables["secom_recovered"]
    sensors = [column for column in whole["columns"] if column["name"].startswith("s")]
    assert len(sensors) == 590
    constant = sum(column["constant"] for column in sensors)
    frame = pl.read_parquet(data_folder / "secom" / "secom_complete_590_subset392.parquet")
    values = [frame[column["name"]].fill_nan(None).drop_nulls() for column in sensors]
    assert constant == sum(one.n_unique() == 1 for one in values) == 122
    missing = sum(column["missing"] for column in sensors) / 590
    assert missing == pytest.approx(0.0468, abs=0.0001)
    assert (recovered["truth"], recovered["moment"], recovered["rows"]) == ("label", "timestamp", 1567)
    assert "104 of 1567 rows" in recovered["truth_why"]
    assert [(one["column"], one["of"]) for one in recovered["related"]] == [("s036", "s034")]
    said = [finding["what"] for finding in told["findings"]]
    assert any(what.startswith("122 column(s) are constant") for what in said)
    assert any(what.startswith("28 column(s) are missing in half the rows or more") for what in said)
    assert whats(told, "unit") == [] and whats(told, "leak") == []
    assert not any(column["unit"] for column in sensors)


@pytest.mark.parametrize(
    ("name", "stack", "twins", "train"),
    [("mixedwm38", "maps_u8.npy.xz", 66, "train_20"), ("wm811k", "maps_flat_u8.npy.xz", 48, "train")],
)
def test_wafer_maps_that_stand_in_two_splits(data_folder, name, stack, twins, train):
    told = examine.folder_of(data_folder / name)
    (images,) = told["images"]
    assert images["name"] == stack
    pairs = {(one["of"], one["in"]): one["rows"] for one in images["across"]}
    assert pairs["test", train] == twins
    assert pairs["test", train] == by_hand(data_folder / name, stack, train)
    assert any(f"{twins}" in what for what in whats(told, "twins"))


def by_hand(place, stack, train):
    """Count the test maps of which the bytes and the shape stand in the training maps."""
    import io
    import lzma

    labels = np.load(place / "labels.npz")
    maps = np.load(io.BytesIO(lzma.decompress((place / stack).read_bytes())))
    if maps.ndim == 1:
        shapes = labels["shape"].astype(int)
        ends = np.cumsum(shapes.prod(axis=1))
        keys = [
            (tuple(shape), maps[end - shape.prod() : end].tobytes())
            for shape, end in zip(shapes, ends, strict=True)
        ]
    else:
        keys = [one.tobytes() for one in maps]
    split = labels["split"].astype(str)
    known = {
        key
        for key, one in zip(keys, split, strict=True)
        if one == train or (train == "train" and one.startswith("train"))
    }
    return sum(key in known for key, one in zip(keys, split, strict=True) if one == "test")


def test_drives(data_folder):
    told = examine.folder_of(data_folder / "backblaze_2013")
    (table,) = told["tables"]
    assert (table["rows"], table["machines"], table["key"], table["moment"]) == (
        868_524,
        22_892,
        "serial_number",
        "date",
    )
    assert table["truth"] == "failure" and "120 of 868524 rows" in table["truth_why"]
    assert (table["clocks"][0]["interval"], table["clocks"][0]["repeated"], table["sampled"]) == (
        "1 d",
        0,
        [],
    )
    units = {column["name"]: column["unit"] for column in table["columns"] if column["unit"]}
    assert units == {"capacity_bytes": "B", "smart_9_raw": "h", "smart_194_raw": "°C"}
    assert whats(told, "leak") == [] and whats(told, "twins") == []
    assert any("would be 29 years" in what for what in whats(told, "unit"))
