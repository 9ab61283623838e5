import numpy as np
import pytest

from flyball import data, errors, kernels
from flyball.site import arriving

NOW = 1_767_312_000_000_000
FLEET = data.Fleet(
    "machine", data.WallClock(),
    (data.Table("telemetry", columns={"x": "kW"}), data.Table("events", columns={"code": "category"})),
)  # fmt: skip


def values(found):
    return [(one.table, one.rows.columns[next(iter(one.rows.columns))].tolist()) for one in found]


def test_a_file_that_grows_is_read_line_by_line_and_goes_on_where_it_was_left(tmp_path):
    file = tmp_path / "telemetry-1.csv"
    file.write_text("machine,at,x\ns1,2026-01-01,1\ns1,2026-01-02,2")
    files = arriving.Files(tmp_path, FLEET, None)
    assert values(files.read(NOW, "")) == [("telemetry", [1.0])]
    assert list(files.read(NOW, "")) == []
    with file.open("a") as more:
        more.write("\ns1,2026-01-02,x\n")
    again = arriving.Files(tmp_path, FLEET, None, files.state)
    (one,) = again.read(NOW, "")
    assert one.rows.floats("x").tolist() == [2.0] and [bad.line for bad in one.bad] == [4]
    assert list(again.read(NOW, "")) == []


def test_a_large_file_comes_in_pieces_and_says_that_more_waits(tmp_path, monkeypatch):
    monkeypatch.setattr(arriving, "PIECE", 64)
    lines = [f"s1,2026-01-01T00:00:{n:02d},{n}" for n in range(20)]
    (tmp_path / "telemetry.csv").write_text("machine,at,x\n" + "\n".join(lines) + "\n")
    files = arriving.Files(tmp_path, FLEET, None)
    got, rounds = [], 0
    while found := list(files.read(NOW, "")):
        got += found[0].rows.floats("x").tolist()
        rounds += 1
    assert got == list(range(20)) and rounds > 3


def test_another_file_under_the_same_name_is_read_from_its_beginning(tmp_path):
    file = tmp_path / "telemetry.jsonl"
    file.write_text('{"machine": "s1", "at": "2026-01-01", "x": 1}\n')
    files = arriving.Files(tmp_path, FLEET, None)
    assert values(files.read(NOW, "")) == [("telemetry", [1.0])]
    file.write_text('{"machine": "s1", "at": "2026-01-03", "x": 3}\n{"at": "2026-01-03", "x": 4}\n')
    assert values(files.read(NOW, "s2")) == [("telemetry", [3.0, 4.0])]


def test_what_is_not_read_is_told(tmp_path):
    (tmp_path / "telemetry.parquet").write_bytes(b"PAR1")
    (tmp_path / "other.csv").write_text("a\n1\n")
    (tmp_path / "events.csv").write_text("a,a\n1,2\n")
    files = arriving.Files(tmp_path, FLEET, None)
    assert list(files.read(NOW, "")) == []
    assert "only .csv" in files.passed["telemetry.parquet"]
    assert "no table" in files.passed["other.csv"] and "two columns" in files.passed["events.csv"]
    with pytest.raises(errors.DataError, match="mounted"):
        list(arriving.Files(tmp_path / "gone", FLEET, None).read(NOW, ""))


def test_a_quote_that_is_never_closed_holds_up_only_a_file_that_grows(tmp_path, monkeypatch):
    file = tmp_path / "events.csv"
    file.write_text('machine,at,code\ns1,2026-01-01,"open\ns1,2026-01-02,shut\n')
    files = arriving.Files(tmp_path, FLEET, None)
    assert [len(one.rows) for one in files.read(NOW, "")] == [0]
    monkeypatch.setattr(arriving, "SETTLED_S", -1.0)
    (one,) = files.read(NOW, "")
    assert one.rows.words("code").texts() == ["shut"] and len(one.bad) == 1


def test_a_ring_is_read_from_the_item_after_the_last_and_what_was_overwritten_is_counted(tmp_path):
    file = tmp_path / "telemetry"
    kind = [("at", "i8"), ("x", "f8")]

    def items(numbers):
        return np.array([(NOW + n, float(n)) for n in numbers], kind)

    ring = arriving.Ring(file, FLEET, None)
    assert list(ring.read(NOW, "s1")) == []
    with kernels.RingWriter(str(file), kind, 256, overrun="drop_oldest") as writer:
        writer.push(items(range(3)))
        assert values(ring.read(NOW, "s1")) == [("telemetry", [0.0, 1.0, 2.0])]
        ring.close()
        writer.push(items(range(3, 5)))
        again = arriving.Ring(file, FLEET, None, ring.state)
        assert values(again.read(NOW, "s1")) == [("telemetry", [3.0, 4.0])]
        again.close()
        for begin in range(5, 3 * writer.capacity, 50):
            writer.push(items(range(begin, begin + 50)))
        late = arriving.Ring(file, FLEET, None, again.state)
        got = [value for _ in range(200) for _, found in values(late.read(NOW, "s1")) for value in found]
        assert late.lost > 0 and got == [float(n) for n in range(5 + late.lost, writer.sequence)]
        late.close()
    with pytest.raises(errors.DeclarationError, match="no table"):
        arriving.Ring(tmp_path / "nobody", FLEET, None)
