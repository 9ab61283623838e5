"""Codes that a release renamed or split come back under their first name, row by row; what is unknown is told."""

import collections
import functools
from pathlib import Path

import numpy as np
import pytest

from flyball import data, fab
from flyball.data import dictionaries
from flyball.data.formats import judge, log
from flyball.fab import codes, eventlog, events, fleet
from flyball.units import seconds

NOW = 1_800_000_000_000_000
PAGE = data.Fleet(
    "machine", data.WallClock(),
    (data.Table("events", {"code": "category", "child": "category", "text": "text"}, time="time"),),
)  # fmt: skip


def judged(text, *books, page=PAGE, **more):
    site = data.Binding("north", dictionaries=books, **more).check(page)
    text = text if isinstance(text, bytes) else text.encode()
    return judge.Judge(page, page.tables[0], site, NOW).judge(log.read(Path("a.log"), text), "a.log")


def lines(*rows):
    return "".join(f"2026-03-01T{clock}Z {machine} WARN {code} x\n" for clock, machine, code in rows)


V2 = data.Dictionary(
    "v2", of="events.code", since="2026-03-01T06:00", machines={"m2": "2026-03-01T09:00"},
    renamed={"A": "B", "B": "C"}, split={"S": ("S1", "S2")}, child="child",
)  # fmt: skip


def test_each_row_is_read_by_the_release_of_its_machine_at_its_time():
    found = judged(
        lines(
            ("05:59:59", "m1", "B"), ("06:00:00", "m1", "B"), ("06:00:00", "m1", "C"), ("06:00:00", "m1", "S2"),
            ("08:59:59", "m2", "B"), ("09:00:00", "m2", "B"), ("09:00:00", "m2", "Z"),
        ),
        V2,
    )  # fmt: skip
    assert found.good["code"].to_list() == ["B", "A", "B", "S", "B", "A", "Z"]
    assert found.good["child"].to_list() == [None, None, None, "S2", None, None, None]
    assert not found.note and "child" not in found.absent


def test_the_latest_release_in_force_holds_alone_in_whatever_order_they_are_declared():
    v3 = data.Dictionary("v3", of="code", since="2026-03-01T12:00", renamed={"A": "D"})
    text = lines(("07:00:00", "m1", "B"), ("12:00:00", "m1", "D"), ("12:00:00", "m1", "B"))
    for books in ((V2, v3), (v3, V2)):
        assert judged(text, *books).good["code"].to_list() == ["A", "A", "B"]


def test_a_zone_holds_for_the_moment_of_a_release_and_site_codes_come_after():
    late = data.Dictionary("v2", of="code", since="2026-03-01T14:00", renamed={"A": "B"})
    found = judged(
        lines(("05:59:00", "m1", "B"), ("06:00:00", "m1", "B")), late,
        zone="Asia/Taipei", codes={"code": {"A": "page's", "B": "other"}},
    )  # fmt: skip
    assert found.good["code"].to_list() == ["other", "page's"]


def test_what_the_release_does_not_know_is_told_by_machine_with_its_share():
    v2 = data.Dictionary("v2", of="code", renamed={"A": "B"}, codes=("B", "K"))
    found = judged(
        lines(("01:00:00", "m1", "B"), *[("02:00:00", "m1", "X")] * 2, ("03:00:00", "m2", "A")), v2
    )
    assert found.good["code"].to_list() == ["A", "X", "X", "A"]
    assert found.note == (
        "3 rows of unknown codes: X on m1 2 of 3 (66.7%, dictionary 'v2'), A on m2 1 of 1 (100.0%, dictionary 'v2')"
    )


def test_clocks_that_differ_are_given_some_slack():
    v2 = data.Dictionary(
        "v2", of="code", since="2026-03-01T06:00", renamed={"A": "B", "X": "A"}, slack=seconds(5)
    )
    text = lines(*((clock, "m1", code) for code in "BA" for clock in ("05:59:54", "05:59:56", "06:00:00")))
    assert judged(text, v2).good["code"].to_list() == ["B", "A", "A", "A", "A", "X"]
    gone = data.Dictionary("v2", of="code", since="2026-03-01T06:00", renamed={"A": "B"}, slack=seconds(5))
    assert judged(lines(("06:00:04", "m1", "A")), gone).note == ""
    assert "A on m1" in judged(lines(("06:00:05", "m1", "A")), gone).note


def test_a_release_that_the_rows_tell_is_believed_before_their_time():
    from flyball.data.formats import read

    v2 = data.Dictionary("v2", of="code", by="software", renamed={"A": "B"})
    table = b"machine,time,code,software\nm1,2026-01-01,B,v1\nm1,2026-01-01,B,v2\nm1,2026-01-01,B,\n"
    site = data.Binding("north", dictionaries=(v2,)).check(PAGE)
    raw = read.read(Path("a.csv"), table)
    found = judge.Judge(PAGE, PAGE.tables[0], site, NOW).judge(raw, "a.csv")
    assert found.good["code"].to_list() == ["B", "A", "B"] and found.extra == ()


@functools.cache
def simulated():
    """Return the raw log of a site whose upgrade brought the second dictionary, its truth, and the upgrade."""
    one = fab.Fab("tiny", days=60)
    plan = fleet.plan(one)
    said, truth = events.events(one), events.truth(one)
    site = int(np.flatnonzero(plan.dictionary == 2)[0])
    mine = plan.site[said["machine"]] == site
    rows = {name: column[mine] for name, column in said.items()}
    rows["machine"] = np.array(plan.names)[rows["machine"]]
    rows["at"] = fleet.START_US + (rows["at"] * fleet.HOUR_US).astype(np.int64)
    start = fleet.START_US + int(plan.firmware[site, 0] * fleet.HOUR_US)
    assert rows["at"].min() < start < rows["at"].max()
    return eventlog.lines(rows), truth["code"][mine], rows, start


def declared(start):
    moment = str(np.datetime64(start, "us"))
    return data.Dictionary(
        "v2", of="events.code", since=moment, slack=seconds(events.SKEW_S + 1), child="child",
        renamed={old: new[0] for old, new in codes.RENAMED.items() if len(new) == 1},
        split={old: new for old, new in codes.RENAMED.items() if len(new) > 1},
        codes=tuple(codes.dictionary(2)),
    )  # fmt: skip


def test_with_the_dictionary_a_simulated_fab_has_the_counts_of_one_that_was_never_upgraded():
    text, truth, rows, start = simulated()
    found = judged(text, declared(start))
    assert found.good.height == len(truth) and not found.bad
    assert found.good["code"].to_list() == truth.tolist()
    split = {new for news in codes.RENAMED.values() if len(news) > 1 for new in news}
    want = [code if code in split else None for code in rows["code"].tolist()]
    assert found.good["child"].to_list() == want and any(want)
    assert found.note == ""


def test_without_it_counts_differ():
    text, truth, _, _ = simulated()
    found = collections.Counter(judged(text).good["code"].to_list())
    wrong = {code for code, count in collections.Counter(truth.tolist()).items() if found[code] != count}
    assert len(wrong) >= 5 and wrong <= set(codes.RENAMED)


def test_an_undeclared_rename_is_told_where_all_codes_are():
    text, _, _, start = simulated()
    book = declared(start)
    partly = data.Dictionary("v1", of="code", codes=tuple(codes.dictionary(1)))
    note = judged(text, partly).note
    assert "unknown codes" in note and any(new in note for news in codes.RENAMED.values() for new in news)
    assert dictionaries.instant(book.since, "UTC") == start


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({"since": "soon"}, "since"),
        ({"machines": {"m1": "soon"}}, "machines['m1']"),
        ({"renamed": {"A": "C", "B": "C"}}, "renamed"),
        ({"renamed": {"A": "C"}, "split": {"A": ("D",)}}, "split"),
        ({"renamed": {"A": "C"}, "codes": ("A",)}, "codes"),
        ({"slack": -1}, "slack"),
    ],
)
def test_a_wrong_dictionary_is_told(wrong, place):
    book = data.Dictionary("v2", of="code", **wrong)
    assert [problem.place for problem in book.problems(None)] == [place]
    with pytest.raises(Exception, match="dictionaries"):
        data.Binding("x", dictionaries=(book,)).check()


def test_a_column_that_the_page_has_not_is_told():
    with pytest.raises(Exception, match="no such column"):
        judged("", data.Dictionary("v2", of="events.cod"))
