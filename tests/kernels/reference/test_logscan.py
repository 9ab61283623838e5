"""The plain twin of the log scan, by hand."""

import struct

import pytest

from flyball.kernels import reference

LEVELS = [b"INFO", b"ERROR"]
NEVER = 2**63 - 1
HOUR = 492_312 + 12  # hours from 1970-01-01 to 2026-03-01T12


def scan(
    separator=b" ",
    clock=0,
    shape=b"",
    since=-NEVER,
    until=NEVER,
    by=(True, True),
    chosen=3,
    keep=9,
    groups=9,
    runs=False,
):
    places = [4, 0, 1, 2, 3]
    return reference.LogScan(
        places, True, separator, runs, clock, LEVELS, shape, since, until, 64, list(by), chosen, keep, groups
    )


def rows(twin):
    hours, codes, machines, levels, counts = twin.groups()
    many = len(hours) // 8
    numbers = [struct.unpack(f"{many}q", column) for column in (hours, levels, counts)]
    names = [(codes[16 * i :][:16].rstrip(b"\0"), machines[32 * i :][:32].rstrip(b"\0")) for i in range(many)]
    return [
        (hour, *name, level, count)
        for hour, name, level, count in zip(numbers[0], names, *numbers[1:], strict=True)
    ]


def reasons(twin):
    return [number for number, many in enumerate(twin.tally()[4:]) for _ in range(many)]


def test_counts_by_hand():
    twin = scan()
    twin.push(b"2026-03-01T12:34:56Z M1 INFO E-1 a b\n2026-03-01T12:34:56Z M1 INF")
    twin.push(b"O E-1 \r\n\n2026-03-01T13:00:00+02:30 M1 ERROR E-1 \n")
    assert rows(twin) == [(HOUR - 2, b"E-1", b"M1", 1, 1), (HOUR, b"E-1", b"M1", 0, 2)]
    assert twin.tally()[:4] == [4, 1, 0, 37 + 35 + 1 + 40]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"x" * 65, 1),
        (b"2026-03-01T12:34:56Z M1 INFO E-1", 2),
        (b"2026-03-01 12:34:56Z M1 INFO E-1 a", 4),
        (b"2026-02-30T12:34:56Z M1 INFO E-1 a", 5),
        (b"2026-03-01T24:00:00Z M1 INFO E-1 a", 6),
        (b"2026-03-01T12:00:00+24:00 M1 INFO E-1 a", 6),
        (b"1999-12-31T23:59:59.999999Z M1 INFO E-1 a", 7),
        (b"2026-03-01T12:34:56Z  INFO E-1 a", 8),
        (b"2026-03-01T12:34:56Z M1 info E-1 a", 9),
        (b"2026-03-01T12:34:56Z M1 INFO E1 a", 10),
        (b"2026-03-01T12:34:56Z M1 INFO E-1234567890123456 a", 11),
    ],
)
def test_the_first_reason(line, reason):
    twin = scan(shape=b"A-9", since=946_684_800_000_000)
    twin.push(b"\n" + line + b"\n")
    assert reasons(twin) == [reason]
    assert twin.kept() == [(1, reason, line[:64])]


def test_what_is_left_open_and_what_broke_off():
    twin, broken = scan(), scan()
    for one in (twin, broken):
        one.push(b"2026-03-01T12:34:56Z M1 INFO E-1 a")
    assert (twin.open_line(), rows(twin)) == ((b"2026-03-01T12:34:56Z M1 INFO E-1 a", 34), [])
    twin.finish(False)
    broken.finish(True)
    assert (rows(twin), reasons(broken)) == ([(HOUR, b"E-1", b"M1", 0, 1)], [13])


def test_levels_chosen_and_groups_beyond_the_budget():
    twin = scan(chosen=2, groups=1)
    for line in (b"INFO E-1", b"ERROR E-1", b"ERROR E-2", b"ERROR E-1"):
        twin.push(b"2026-03-01T12:34:56Z M1 " + line + b" a\n")
    assert rows(twin) == [(HOUR, b"E-1", b"M1", 1, 2)]
    assert (twin.tally()[2], reasons(twin)) == (1, [12])


@pytest.mark.parametrize(
    ("clock", "text", "found"),
    [
        (0, b"1970-01-01T00:00:00", (0, 0)),
        (0, b"0001-01-01T00:00:00+00:01", (-62_135_596_860_000_000, 0)),
        (0, b"2024-02-29T23:59:59,1234567-01", (1_709_251_199_123_456 + 3_600_000_000, 0)),
        (1, b"1970-01-02 00:00:00Z", (86_400_000_000, 0)),
        (2, b"12.5", (12_500_000, 0)),
        (3, b"12.5", (12_500, 0)),
        (2, b"253402300799.999999", (253_402_300_799_999_999, 0)),
        (2, b"253402300800", (0, 5)),
        (2, b"-1", (0, 4)),
    ],
)
def test_instants(clock, text, found):
    assert scan(clock=clock)._instant(text) == found


def test_separators_in_a_row_count_as_one_only_where_that_is_declared():
    line = b"2026-03-01T12:34:56Z M1   INFO  E-1 a\n"
    declared, strict = scan(runs=True), scan()
    declared.push(line)
    strict.push(line)
    assert rows(declared) == [(HOUR, b"E-1", b"M1", 0, 1)]
    assert (rows(strict), reasons(strict)) == ([], [9])


def test_the_space_within_a_timestamp_is_not_one_of_a_run():
    twin = scan(clock=1, runs=True)
    twin.push(b"2026-03-01 12:34:56  M1 INFO E-1 \n2026-03-01  12:34:56 M1 INFO E-1 \n")
    assert (rows(twin), reasons(twin)) == ([(HOUR, b"E-1", b"M1", 0, 1)], [4])
