"""The log scan: every path and every cut of the bytes equal to the twin, and to polars; sources, states, errors."""

import contextlib
import copy
import gzip
import mmap
import pickle
import threading

import hypothesis
import numpy as np
import polars
import pytest
import zstandard
from hypothesis import strategies as st

from flyball import kernels
from flyball.kernels import backend, loglayout

FUNCTION_SCOPED = [hypothesis.HealthCheck.function_scoped_fixture]
LINE = b"2026-03-01T12:34:56.789Z SCN0042 ERROR E-4711 stage lost lock\n"
ALL = ("hour", "code", "machine", "level")


def told(counts):
    """All that a scan says, as plain values."""
    columns = {name: values.tolist() for name, values in counts.columns().items()}
    rest = counts.malformed, counts.kept, counts.lines, counts.blank, counts.unselected, counts.bytes
    return columns, *rest, counts.incomplete


def twin(chunks, layout, broken=False, **choice):
    with backend.using("reference"):
        scan = kernels.LogScan(layout, **choice)
        for chunk in chunks:
            scan.push(chunk)
        return told(scan.finish(broken=broken))


def cut(data, sizes):
    at = 0
    for size in sizes:
        yield data[at : at + size]
        at += size
    yield data[at:]


DATES = ["2026-03-01"] * 8 + [
    "2026-02-29",
    "2024-02-29",
    "2026-13-01",
    "2026-3-01",
    "0000-01-01",
    "9999-12-31",
    "",
]
HOURS = ["12"] * 8 + ["13", "23", "24", "1", "00"]
REST = ["34:56", "00:00", "29:59", "30:00", "59:59", "60:00", "00:60", "0:00", "30"]
FRACTIONS = ["", ".789", ",123456", ".123456789", ".1234567890", "."]
ZONES = ["Z", "", "+02:00", "-0330", "+05", "+05:45", "+24:00", "+1", "z", "-12:30"]
EPOCHS = [
    "1772368496",
    "1772368496789",
    "0",
    "253402300799",
    "253402300800",
    "1.5",
    "1772368496.1234567",
    "-1",
    "9" * 17,
]
MACHINES = ["SCN0042"] * 4 + ["", "S", "N" * 32, "N" * 33, "A\x00", "A\x7f", "Ä"]
LEVELS = ["ERROR", "INFO", "WARN", "DEBUG"] * 2 + ["ERR", "ERRORS", "", "INFO\x00"]
CODES = ["E-4711", "E-4711", "E-1", "ALARM-0000000001", "ALARM-00000000001", "", "E4711", "E-47x", "E-1\x00"]
TEXTS = [None, "", "stage lost lock", "a\tb|c,d e", "x" * 70, "\x00\x01", "\r", "x" * 9000]


@st.composite
def layouts(draw):
    fields = draw(st.sampled_from(["tmlcx", "tmlc", "lmtcx", "tcx", "tc", "ct-", "c-mtx", "t--lc"]))
    names = {"t": "timestamp", "m": "machine", "l": "level", "c": "code", "x": "text", "-": "-"}
    since = draw(st.sampled_from([None, 1_772_366_400_000_000, 1_772_366_400_000_000 + 1_800_000_000]))
    return kernels.LogLayout(
        fields=tuple(names[one] for one in fields),
        separator=draw(st.sampled_from(loglayout.SEPARATORS)),
        runs=draw(st.booleans()),
        timestamp=draw(st.sampled_from(loglayout.TIMESTAMPS)),
        code=draw(st.sampled_from(["", "A-9"])),
        since=since,
        until=draw(st.sampled_from([None, 1_772_371_800_000_000])),
        longest=draw(st.sampled_from([64, 120, 65536])),
    )


def stamps(draw, kind):
    if kind.startswith("epoch"):
        return draw(st.sampled_from(EPOCHS))
    joint = draw(st.sampled_from(["T" if kind == "iso" else " "] * 8 + ["T", " "]))
    pick = [draw(st.sampled_from(some)) for some in (DATES, HOURS, REST, FRACTIONS, ZONES)]
    return f"{pick[0]}{joint}{pick[1]}:{pick[2]}{pick[3]}{pick[4]}"


@st.composite
def cases(draw):
    layout = draw(layouts())
    some = {"machine": MACHINES, "level": LEVELS, "code": CODES, "-": ["", "x", "anything"]}
    lines = []
    for _ in range(draw(st.integers(0, 12))):
        if draw(st.integers(0, 15)) == 0:
            lines.append(draw(st.binary(max_size=90)))
            continue
        columns = [
            stamps(draw, layout.timestamp)
            if field == "timestamp"
            else draw(st.sampled_from(some.get(field, TEXTS)))
            for field in layout.fields
        ]
        wide = layout.separator * draw(st.sampled_from([1, 1, 2, 5, 40]))
        line = draw(st.sampled_from([layout.separator, wide])).join(
            column for column in columns if column is not None
        )
        lines.append(line.encode("latin-1") + draw(st.sampled_from([b"", b"", b"", b"\r"])))
    # Often enough that the blocks of the fast way are filled.
    data = b"\n".join(lines * draw(st.sampled_from([1, 1, 7]))) + draw(st.sampled_from([b"\n", b""]))
    have = [name for name in ("machine", "level") if name in layout.fields]
    choice = {
        "by": ("hour", "code", *draw(st.lists(st.sampled_from(have), unique=True) if have else st.just([]))),
        "only": draw(st.sampled_from([(), ("ERROR",), ("INFO", "DEBUG")])) if "level" in have else (),
        "keep": draw(st.sampled_from([0, 2, 100])),
        "groups": draw(st.sampled_from([1, 3, 2**20])),
    }
    return data, layout, choice, draw(st.lists(st.integers(0, 150), max_size=8)), draw(st.booleans())


@hypothesis.settings(max_examples=150, suppress_health_check=FUNCTION_SCOPED, deadline=None)
@hypothesis.given(cases())
def test_equal_to_the_twin_however_the_bytes_are_cut(path, case):
    data, layout, choice, sizes, broken = case
    wanted = twin([data], layout, broken, **choice)
    assert twin(cut(data, sizes), layout, broken, **choice) == wanted
    for chunks in ([data], cut(data, sizes)):
        scan = kernels.LogScan(layout, **choice)
        for chunk in chunks:
            scan.push(chunk)
        assert told(scan.finish(broken=broken)) == wanted


def log(lines, seed=0):
    """A log in the order of time, one line in fifty malformed."""
    rng = np.random.default_rng(seed)
    at = np.datetime64("2026-03-01T00:00:00.000") + np.sort(rng.integers(0, 72 * 3_600_000, lines)).astype(
        "m8[ms]"
    )
    out = []
    for stamp, number, level in zip(
        at.astype(str), rng.integers(0, 10**6, lines), rng.integers(0, 4, lines), strict=True
    ):
        name = ("DEBUG", "INFO", "WARN", "ERROR")[level]
        line = f"{stamp}Z SCN{number % 40:04d} {name} E-{number % 97} value={number} {'x' * (number % 80)}"
        out.append(line.replace(" E-", " E_") if number % 50 == 0 else line)
    return ("\n".join(out) + "\n").encode()


@pytest.mark.parametrize("by", [("hour", "code"), ALL])
@pytest.mark.parametrize("only", [(), ("ERROR",)])
def test_a_long_log(path, by, only):
    data, layout = log(20_000), kernels.LogLayout(code="A-9")
    wanted = twin([data], layout, by=by, only=only)
    assert wanted[1] == {"code": data.count(b" E_")}
    assert told(kernels.scan_log(data, layout, by=by, only=only)) == wanted
    assert told(kernels.scan_log(cut(data, [1000] * 999), layout, by=by, only=only)) == wanted


def test_equal_to_polars(path):
    data = log(20_000, seed=1)
    frame = polars.DataFrame({"line": data.decode().splitlines()}).select(
        hour=polars.col("line").str.slice(0, 13),
        level=polars.col("line").str.extract(r"^\S+ \S+ (\S+) ", 1),
        code=polars.col("line").str.extract(r"^\S+ \S+ \S+ (E-\d+) ", 1),
    )
    wanted = (
        frame.drop_nulls()
        .filter(polars.col("level") == "ERROR")
        .group_by("hour", "code")
        .len()
        .sort("hour", "code")
    )
    got = kernels.scan_log(data, kernels.LogLayout(code="A-9"), only=("ERROR",))
    hours = [str(hour)[:13] for hour in got.columns()["hour"]]
    assert list(zip(hours, got.code.tolist(), got.count.tolist(), strict=True)) == wanted.rows()


def test_a_wrong_count_would_be_noticed(path):
    layout = kernels.LogLayout()
    wrong = LINE.replace(b"E-4711", b"E-4712")
    assert told(kernels.scan_log(LINE * 9, layout)) == twin([LINE * 9], layout)
    assert told(kernels.scan_log(LINE * 8 + wrong, layout)) != twin([LINE * 9], layout)
    assert told(kernels.scan_log(LINE * 9, layout)) != twin([LINE * 9 + b"\n"], layout)


@pytest.mark.parametrize("squeeze", [bytes, gzip.compress, zstandard.ZstdCompressor().compress])
def test_sources(path, squeeze, tmp_path):
    data, layout = log(3000), kernels.LogLayout(code="A-9")
    wanted, packed = twin([data], layout), squeeze(data)
    file = tmp_path / "log"
    file.write_bytes(packed)
    with open(file, "rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert told(kernels.scan_log(mapped, layout)) == wanted
    sources = [
        file,
        str(file),
        packed,
        bytearray(packed),
        np.frombuffer(packed, np.uint8),
        memoryview(packed),
    ]
    sources += [list(cut(packed, [1] * 9)), iter([b"", packed[:2], b"", packed[2:]]), (packed,)]
    for source in sources:
        assert told(kernels.scan_log(source, layout)) == wanted, type(source)


def test_empty_sources(path, tmp_path):
    (tmp_path / "log").touch()
    for source in (b"", [], [b"", b""], tmp_path / "log"):
        assert kernels.scan_log(source, kernels.LogLayout()).lines == 0
    assert kernels.scan_log([b"\n"], kernels.LogLayout()).blank == 1


@pytest.mark.parametrize("squeeze", [gzip.compress, zstandard.ZstdCompressor().compress])
def test_a_source_that_ends_early_keeps_what_was_good(path, squeeze):
    data = log(9000)
    packed = squeeze(data)
    got = kernels.scan_log(packed[: len(packed) // 2], kernels.LogLayout(code="A-9"))
    assert got.incomplete.startswith(f"incomplete at byte {len(packed) // 2}")
    assert data[: got.bytes].count(b"\n") == got.lines - got.malformed.get("cut off", 0)
    assert got.bytes > len(data) // 4
    assert told(got)[:-1] == twin([data[: got.bytes]], kernels.LogLayout(code="A-9"), broken=True)[:-1]


def test_a_budget_bounds_a_bomb(path):
    bomb = zstandard.ZstdCompressor().compress(bytes(10**8))
    got = kernels.scan_log(bomb, kernels.LogLayout(), budget=10**6)
    assert (got.bytes, got.malformed) == (10**6, {"cut off": 1})
    assert len(got.kept[0].line) == 65536
    assert "budget of 1000000" in got.incomplete


def test_a_line_without_end_is_not_held(path):
    scan = kernels.LogScan(kernels.LogLayout(longest=100), keep=1)
    for _ in range(500):
        scan.push(bytes(1000))
    assert len(scan.__getstate__()["open"][0]) == 101
    scan.push(b"\n" + LINE)
    got = scan.finish()
    assert (got.malformed, got.kept, got.count.tolist()) == (
        {"long line": 1},
        ((0, "long line", bytes(100)),),
        [1],
    )


@pytest.mark.parametrize("many", [2, 70_000])
def test_codes_without_end_are_bounded(path, many):
    lines = b"".join(b"2026-03-01T12:34:56Z S INFO E-%d a\n" % number for number in range(many))
    got = kernels.scan_log(lines * 2, kernels.LogLayout(), groups=1)
    assert (got.count.tolist(), got.malformed) == ([2], {"groups": 2 * many - 2})
    passed = kernels.scan_log(lines * 2, kernels.LogLayout(), only=("ERROR",), groups=1)
    assert (passed.unselected, passed.malformed, len(passed.count)) == (2 * many, {}, 0)


def test_merged_parts_are_the_whole(path):
    data, layout = log(9000), kernels.LogLayout(code="A-9")
    wanted = twin([data], layout, by=ALL, only=("ERROR", "WARN"))
    whole = kernels.LogScan(layout, by=ALL, only=("ERROR", "WARN"))
    middle = data.index(b"\n", len(data) // 2) + 1
    for part in (data[:middle], data[middle:]):
        one = kernels.LogScan(layout, by=ALL, only=("ERROR", "WARN"))
        one.push(part)
        whole.merge(pickle.loads(pickle.dumps(one)))
    assert told(whole.finish()) == wanted


def test_merging_holds_the_budget(path):
    parts = [kernels.LogScan(kernels.LogLayout(), groups=1, keep=0) for _ in range(2)]
    parts[0].push(LINE)
    parts[1].push(LINE.replace(b"E-4711", b"E-1") * 3)
    parts[0].merge(parts[1])
    assert (parts[0].counts().count.tolist(), parts[0].counts().malformed) == ([1], {"groups": 3})


def test_a_state_goes_on_where_it_was_and_on_any_path(path):
    data, layout = log(4000), kernels.LogLayout(code="A-9")
    wanted = twin([data], layout, by=ALL, only=("ERROR",))
    scan = kernels.LogScan(layout, by=ALL, only=("ERROR",))
    paths = [path, "reference"]
    for number, chunk in enumerate(cut(data, [40_001] * 6)):
        with backend.using(paths[number % 2]):
            scan = pickle.loads(pickle.dumps(scan)) if number % 3 else copy.deepcopy(scan)
            scan.push(chunk)
    assert told(scan.finish()) == wanted
    assert told(pickle.loads(pickle.dumps(scan)).counts()) == wanted


def test_threads_share_a_scan(path):
    scan, data = kernels.LogScan(LAYOUT, by=ALL), log(2000)
    threads = [
        threading.Thread(target=lambda: [scan.push(data) or scan.counts() for _ in range(10)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told(scan.finish()) == twin([data] * 40, LAYOUT, by=ALL)


def damaged():
    scan = kernels.LogScan(kernels.LogLayout())
    scan.push(LINE + b"bad\nopen")
    state = scan.__getstate__()
    hours, codes, machines, levels, counts = state["groups"]
    yield {**state, "version": 2}
    yield {**state, "groups": (hours, codes[:-1], machines, levels, counts)}
    yield {**state, "groups": (hours, bytes(16), machines, levels, counts)}
    yield {**state, "groups": (b"\xff" * 7 + b"\x7f", codes, machines, levels, counts)}
    yield {**state, "groups": (hours, codes, machines, b"\x09" + bytes(7), counts)}
    yield {**state, "groups": (hours, codes, machines, levels, bytes(8))}
    yield {**state, "open": (b"a\nb", 3)}
    yield {**state, "open": (b"ab", 3)}
    yield {**state, "kept": [(0, 99, b"x")]}
    yield {**state, "tally": [1, 2]}


def test_a_damaged_state_is_refused(path):
    for state in damaged():
        with pytest.raises(ValueError, match=r"^state: "):
            kernels.LogScan.__new__(kernels.LogScan).__setstate__(state)


LAYOUT = kernels.LogLayout()
BARE = kernels.LogLayout(fields=("timestamp", "code"))
STRIDED = np.zeros(8, np.uint8)[::2]


@pytest.mark.parametrize(
    ("named", "call"),
    [
        ("layout", lambda: kernels.LogScan("iso")),
        ("by", lambda: kernels.LogScan(LAYOUT, by="code")),
        ("by", lambda: kernels.LogScan(LAYOUT, by=("code",))),
        ("by", lambda: kernels.LogScan(LAYOUT, by=("hour", "code", "text"))),
        ("by", lambda: kernels.LogScan(BARE, by=("hour", "code", "machine"))),
        ("only", lambda: kernels.LogScan(LAYOUT, only=("ERR",))),
        ("only", lambda: kernels.LogScan(LAYOUT, only="ERROR")),
        ("only", lambda: kernels.LogScan(BARE, only=("ERROR",))),
        ("keep", lambda: kernels.LogScan(LAYOUT, keep=-1)),
        ("keep", lambda: kernels.LogScan(LAYOUT, keep=1.0)),
        ("groups", lambda: kernels.LogScan(LAYOUT, groups=0)),
        ("budget", lambda: kernels.scan_log(b"", LAYOUT, budget=-1)),
        ("chunk", lambda: kernels.LogScan(LAYOUT).push("text")),
        ("chunk", lambda: kernels.LogScan(LAYOUT).push(STRIDED)),
        ("source", lambda: kernels.scan_log(5, LAYOUT)),
        ("source", lambda: kernels.scan_log(STRIDED, LAYOUT)),
        ("source", lambda: kernels.scan_log(None, LAYOUT)),
        ("source", lambda: kernels.scan_log([b"a", "b"], LAYOUT)),
        ("other", lambda: kernels.LogScan(LAYOUT).merge(kernels.LogScan(LAYOUT, keep=1))),
        ("other", lambda: kernels.LogScan(LAYOUT).merge(3)),
    ],
)
def test_wrong_arguments(named, call):
    with pytest.raises(ValueError) as caught:
        call()
    assert str(caught.value).partition(":")[0] == named


def test_a_finished_scan_takes_no_more_and_an_open_line_is_not_merged():
    scan, other = kernels.LogScan(LAYOUT), kernels.LogScan(LAYOUT)
    other.push(b"open")
    with pytest.raises(ValueError, match=r"^other: holds a line"):
        scan.merge(other)
    with pytest.raises(ValueError, match=r"^self: holds a line"):
        other.merge(scan)
    assert told(scan.finish()) == told(scan.finish())
    with pytest.raises(ValueError, match=r"^chunk: the scan is finished"):
        scan.push(LINE)


def test_a_missing_file_is_an_error(tmp_path):
    with contextlib.suppress(FileNotFoundError):
        kernels.scan_log(tmp_path / "none", LAYOUT)
        raise AssertionError("a file that is not there was scanned")


def test_a_log_whose_levels_are_padded(path):
    data = b"".join(
        b"2026-03-01T%02d:%02d:00.000Z SCN%04d %-5b E-%d a text behind it\n"
        % (i // 60 % 24, i % 60, i % 400, (b"INFO", b"ERROR", b"WARN")[i % 3], i % 7)
        for i in range(3000)
    )
    layout = kernels.LogLayout(code="A-9", runs=True)
    counts = kernels.scan_log(data, layout, by=("hour", "code", "level"))
    assert counts.malformed == {}
    assert told(counts) == twin([data], layout, by=("hour", "code", "level"))
    assert kernels.scan_log(data, kernels.LogLayout(code="A-9")).malformed == {"code": 2000}


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (b"SCN0042 ERROR", b"SCN\x010042 ERROR"),
        (b"SCN0042 ERROR", b"SCN\x7f042 ERROR"),
        (b" SCN0042", b"  "),
        (b" SCN0042", b" " + b"N" * 33),
        (b"Z SCN0042", b"ZSCN0042"),
        (b"E-4711 ", b"E-4711\x00"),
        (b"E-4711 ", b"E-4711\r"),
        (b"T12:34", b"T12:64"),
    ],
)
def test_a_bad_line_among_the_same_good_ones_is_seen(path, good, bad):
    data = LINE * 50 + LINE.replace(good, bad) + LINE * 50
    counts = kernels.scan_log(data, LAYOUT)
    assert counts.count.tolist() == [100]
    assert sum(counts.malformed.values()) == 1
    assert told(counts) == twin([data], LAYOUT)
