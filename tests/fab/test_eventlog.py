"""A machine's own log: the scan that reads logs gives exactly the counts that were written."""

import collections

import numpy as np
import pytest

from flyball import errors, fab, kernels
from flyball.fab import codes, eventlog

HOUR = 3_600_000_000
FLEET = fab.Fab("tiny", seed=3, machines=4, days=60)


@pytest.fixture(scope="module")
def rows():
    return fab.tables(FLEET, "events")["events"]


def a_day(rows, machine, day):
    begin = fab.START_US + day * 24 * HOUR
    mine = (rows["machine"] == machine) & (rows["at"] >= begin) & (rows["at"] < begin + 24 * HOUR)
    return {name: values[mine] for name, values in rows.items()}


@pytest.mark.parametrize("stamped", [False, True])
def test_the_scan_counts_what_was_written(rows, stamped):
    some = 0
    for day in range(0, 60, 7):
        for machine in sorted(set(rows["machine"].tolist())):
            columns = a_day(rows, machine, day)
            if not stamped:
                del columns["seen"]
            text = eventlog.lines(columns)
            layout = eventlog.STAMPED if stamped else eventlog.LAYOUT
            counts = kernels.scan_log(text, layout, by=("hour", "code", "machine", "level"))
            assert counts.malformed == {} and counts.lines == len(columns["at"]) == text.count(b"\n")
            told = counts.columns()
            found = {
                (int(hour), code, name, level): int(count)
                for hour, code, name, level, count in zip(
                    told["hour"].astype(np.int64),
                    told["code"],
                    told["machine"],
                    told["level"],
                    told["count"],
                    strict=True,
                )
            }
            keys = zip(
                (columns["at"] // HOUR * HOUR).tolist(),
                columns["code"].tolist(),
                columns["machine"].tolist(),
                [codes.LEVELS[one] for one in columns["severity"].tolist()],
                strict=True,
            )
            assert found == collections.Counter(keys)
            some += len(columns["at"])
    assert some > 500


def test_times_are_to_the_millisecond_in_utc(rows):
    columns = a_day(rows, "A-001", 3)
    first = eventlog.lines(columns).split(b"\n")[0].split(b" ")
    stamps = np.array([stamp.decode().rstrip("Z") for stamp in first[:2]], dtype="datetime64[us]")
    assert stamps.astype(np.int64).tolist() == [columns["seen"][0], columns["at"][0]]


def test_alarms_say_whether_they_are_set_or_clear(rows):
    text = eventlog.texts(rows)
    for name in ("set", "clear"):
        mine = rows["set_clear"] == name
        assert mine.any()
        assert [one.endswith(f" [{name}]") for one in text] == mine.tolist()


def test_a_code_of_no_dictionary_is_refused():
    with pytest.raises(errors.DataError, match="no code 'XX-0000'"):
        eventlog.texts({
            "code": np.array(["XX-0000"]), "value": np.array([1.0]), "set_clear": np.array([""])
        })  # fmt: skip


def test_no_events_are_an_empty_log(rows):
    none = {name: values[:0] for name, values in rows.items()}
    assert eventlog.lines(none) == b""
