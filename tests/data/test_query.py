import pytest

from flyball import data, units
from flyball.data import query as queries

RIGHT = data.Query("repairs", "select id, done from orders where id > :mark", mark="id")


def problems(page=None, **changes):
    told = {"table": "repairs", "sql": RIGHT.sql, "mark": "id"} | changes
    return "; ".join(str(problem) for problem in data.Query(**told).problems(page))


def test_a_query_that_can_be_asked_has_no_problem(daily):
    assert problems(daily.page.data) == ""
    assert problems(sql="-- ours\nWITH o AS (SELECT 1 AS id) SELECT * FROM o WHERE id > :mark;") == ""
    assert problems(sql="select ';' as a, id from t where id > :mark") == ""


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"sql": "delete from orders where id > :mark"}, "no single SELECT"),
        ({"sql": "select 1 where 1 > :mark; drop table orders"}, "no single SELECT"),
        ({"sql": "select 1 -- :mark"}, ":mark is not in it"),
        ({"sql": "select ':mark'"}, ":mark is not in it"),
        ({"since": "yesterday"}, "is no time"), ({"overlap": units.hours(1)}, "by time only"), ({"batch": 0}, "0 rows"),
        ({"table": "repiars"}, "did you mean 'repairs'"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_told(daily, changes, what):
    assert what in problems(daily.page.data, **changes)


def test_the_mark_is_put_where_it_is_meant_and_nowhere_else():
    query = data.Query("t", "select ':mark' as a, id from t where id > :mark;", mark="id", batch=7)
    text = query.text("5", limit=True)
    assert "select ':mark' as a, id from t where id > 5\n" in text and text.endswith("ORDER BY id LIMIT 7")
    assert not query.timed and data.Query("t", "x", "m", since="2020-01-01").timed
    assert queries.PLACE == ":mark"


def test_a_binding_names_the_query_that_is_wrong(daily):
    site = data.Binding("north", queries=(RIGHT, data.Query("repairs", "x", mark="id")))
    told = [str(problem) for problem in site.problems(daily.page.data)]
    assert len(told) == 2 and all(one.startswith("queries[1].sql") for one in told)
