"""Queries of real databases: every row once, in order, whatever is killed; nothing is changed; errors are told."""

import os
import signal
import sqlite3
import subprocess
import sys

import pytest
from tests.runtime.postgres import needs_postgres, running

from flyball import cli, data, errors, units
from flyball.runtime import databases
from flyball.runtime.store import Store

ORDERS = data.Table("orders", columns={"tool": "category", "hours": "h", "failed": "bool"}, unique=("tool",))
FLEET = data.Fleet("machine", data.WallClock(), (ORDERS,))
SQL = "select id, machine, tool, hours, failed, done_at as at from work_orders where id > :mark"
BY_ID = data.Query("orders", SQL, mark="id", batch=10)
BY_TIME = data.Query(
    "orders", "select machine, tool, hours, failed, done_at as at, changed from work_orders where changed > :mark",
    mark="changed", since="2020-01-01", batch=10,
)  # fmt: skip
MAKE = (
    "create table work_orders (id {serial}, machine text, tool text, hours {number}, failed boolean, done_at {time}, "
    "changed {time})"
)


def site(*queries, **more):
    return data.Binding("north", queries=queries, **more)


def insert(first, count, day=1, changed=None):
    rows = [
        f"('m{n % 3}', 't{n}', {n}.5, {'true' if n % 2 else 'false'}, '2026-01-{day:02d} 06:{n % 60:02d}:00+00', "
        f"'{changed or f'2026-02-{day:02d} 06:{n % 60:02d}:00+00'}')"
        for n in range(first, first + count)
    ]
    return (
        f"insert into work_orders (machine, tool, hours, failed, done_at, changed) values {', '.join(rows)}"
    )


@pytest.fixture(scope="module")
def server():
    with running() as started:
        yield started


@pytest.fixture
def postgres(server):
    server.sql(
        "drop table if exists work_orders; "
        + MAKE.format(serial="bigserial", number="numeric(9,2)", time="timestamptz")
    )
    server.sql("grant select on work_orders to reader")
    return server


@pytest.fixture
def sqlite(tmp_path):
    with sqlite3.connect(tmp_path / "mes.db") as made:
        made.execute(MAKE.format(serial="integer primary key", number="real", time="text"))
    return tmp_path / "mes.db"


@pytest.fixture
def store(tmp_path):
    return Store.open(tmp_path / "store", FLEET)


def pulled(store, address, binding, rounds=1, **more):
    watch = databases.Watch(store, address, binding, **more)
    said = [one for _ in range(rounds) for one in watch.once(lambda: False)]
    watch.database.close()
    return watch, said


def tools(store):
    return sorted(store.rows("orders").columns["tool"].texts())


@needs_postgres
def test_every_row_comes_once_in_batches_and_new_ones_later(postgres, store):
    postgres.sql(insert(0, 25))
    watch, said = pulled(store, postgres.address, site(BY_ID), rounds=2)
    assert [one["good"]["orders"] for one in said] == [10, 10, 5] and watch.total.trouble == ""
    postgres.sql(insert(25, 3))
    _, said = pulled(store, postgres.address, site(BY_ID))
    assert [one["good"]["orders"] for one in said] == [3] and tools(store) == sorted(
        f"t{n}" for n in range(28)
    )
    rows = store.rows("orders")
    assert rows.columns["hours"].dtype == float and set(rows.columns["failed"].tolist()) == {0.0, 1.0}
    assert store.marks().last(f"{postgres.address} orders", databases._epoch(BY_ID)) == 28


@needs_postgres
def test_rows_that_share_a_time_are_not_cut_apart_and_corrections_are_versions(postgres, store):
    postgres.sql(insert(0, 8, changed="2026-02-01 06:00:00+00"))
    postgres.sql(insert(8, 8, changed="2026-02-02 06:00:00+00"))
    watch, said = pulled(store, postgres.address, site(BY_TIME), rounds=3)
    assert [one["good"]["orders"] for one in said] == [8, 8] and watch.total.trouble == ""
    before = store.rows("orders")
    assert set(before.seen.tolist()) == {1_769_925_600_000_000, 1_770_012_000_000_000}
    postgres.sql("update work_orders set hours = 99, changed = '2026-02-05 06:00:00+00' where tool = 't3'")
    pulled(store, postgres.address, site(BY_TIME))
    now = store.rows("orders").known(None)
    assert now.columns["hours"].max() == 99.0 and len(now) == 16
    assert store.rows("orders").known(1_770_200_000_000_000).columns["hours"].max() == 15.5
    postgres.sql(insert(100, 11, changed="2026-03-01 00:00:00+00"))
    watch, _ = pulled(store, postgres.address, site(BY_TIME))
    assert "10 rows share one changed: give it a larger batch" in watch.total.trouble


@needs_postgres
def test_rows_committed_late_under_an_earlier_time_come_with_an_overlap_and_nothing_twice(postgres, store):
    late = data.Query("orders", BY_TIME.sql, "changed", "2020-01-01", units.hours(2), 100)
    watch = databases.Watch(store, postgres.address, site(late))
    postgres.sql(insert(0, 5, changed="2026-02-01 06:00:00+00"))
    for _ in range(3):
        list(watch.once(lambda: False))
    assert store.journal.committed() == 1
    postgres.sql(insert(5, 2, changed="2026-02-01 05:00:00+00"))
    list(watch.once(lambda: False))
    watch.database.close()
    pulled(store, postgres.address, site(late), rounds=2)
    assert tools(store) == sorted(f"t{n}" for n in range(7))


@needs_postgres
def test_nothing_can_be_changed_there_and_what_is_refused_is_told_without_a_secret(
    postgres, store, monkeypatch
):
    monkeypatch.setenv("PGPASSWORD", "verysecret")
    sneaky = data.Query(
        "orders", "select nextval('work_orders_id_seq') as id, 'm' as machine where 1 > :mark", "id"
    )
    watch, _ = pulled(store, postgres.address, site(sneaky))
    assert "read-only" in watch.total.trouble or "permission denied" in watch.total.trouble
    for change, what in (
        ("revoke select on work_orders from reader", "permission denied"),
        (
            "alter table work_orders rename column tool to werkzeug; grant select on work_orders to reader",
            "tool",
        ),
        ("drop table work_orders", "does not exist"),
    ):
        postgres.sql(change)
        watch, said = pulled(store, postgres.address, site(BY_ID), rounds=2)
        assert what in watch.total.trouble and "verysecret" not in watch.total.trouble
        assert [one["trouble"] for one in said] == [watch.total.trouble]  # once


@needs_postgres
def test_a_server_that_is_killed_is_told_and_gone_on_with(postgres, store):
    postgres.sql(insert(0, 5))
    watch = databases.Watch(store, postgres.address, site(BY_ID))
    list(watch.once(lambda: False))
    postgres.end(signal.SIGKILL)
    list(watch.once(lambda: False))
    assert "database" in watch.total.trouble
    postgres.start()
    postgres.sql(insert(5, 5))
    list(watch.once(lambda: False))
    watch.database.close()
    assert watch.total.trouble == "" and tools(store) == sorted(f"t{n}" for n in range(10))


@needs_postgres
def test_a_kill_in_the_middle_and_two_at_once_lose_and_double_nothing(postgres, tmp_path):
    postgres.sql(insert(0, 400))
    folder = tmp_path / "store"
    code = (
        "import sys; from flyball.runtime import databases; from flyball.runtime.store import Store\n"
        "from tests.runtime import test_databases as told\n"
        "watch = databases.Watch(Store.open(sys.argv[1], told.FLEET), sys.argv[2], told.site(told.BY_ID))\n"
        "for one in watch.go(0.1, 30.0): print(one.get('good'), flush=True)"
    )
    command = [sys.executable, "-c", code, str(folder), postgres.address]
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as one:
        for _ in range(3):
            one.stdout.readline()
        one.send_signal(signal.SIGKILL)
    others = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(2)]
    store = Store.open(folder, FLEET)
    last = 0
    while last < 400:
        store.refresh()
        last = store.marks().last(f"{postgres.address} orders", databases._epoch(BY_ID)) or 0
    for one in others:
        one.send_signal(signal.SIGKILL)
        one.communicate()
    store = Store.open(folder, FLEET)
    assert tools(store) == sorted(f"t{n}" for n in range(400)) and store.sources()["good"].sum() == 400


@needs_postgres
def test_the_command_asks_once_or_watches_and_odbc_gives_the_same_rows(
    postgres, tmp_path, capsys, monkeypatch
):
    drivers = subprocess.run(["odbcinst", "-q", "-d"], capture_output=True, text=True).stdout
    postgres.sql(insert(0, 25))
    page, binding = tmp_path / "page.py", tmp_path / "north.binding"
    page.write_text(
        "from flyball import data\nfrom tests.runtime.test_databases import FLEET\n"
        "from tests import pumps\nfrom flyball import part, system\n"
        "exec(pumps.PAGE)\ntables = (*system.data.tables, *FLEET.tables)\n"
        "system = part.replace(system, data=part.replace(system.data, tables=tables))\n"
    )
    binding.write_text(repr(site(BY_ID)))
    places = {"adbc": postgres.address}
    if "PostgreSQL Unicode" in drivers:
        places["odbc"] = (
            f"odbc:Driver=PostgreSQL Unicode;Server=127.0.0.1;Port={postgres.port};Database=postgres;UID=reader"
        )
    found = {}
    for name, place in places.items():
        folder = tmp_path / name
        with pytest.raises(SystemExit) as done:
            cli.main(
                [
                    "ingest",
                    str(page),
                    "--from",
                    place,
                    "--binding",
                    str(binding),
                    "--store",
                    str(folder),
                    "--json",
                ]
            )
        assert done.value.code == 0, capsys.readouterr()
        rows = Store.open(folder, FLEET).rows("orders")
        found[name] = (rows.at.tolist(), rows.columns["tool"].texts(), rows.columns["hours"].tolist())
    assert len(found["adbc"][0]) == 25 and all(one == found["adbc"] for one in found.values())
    if "odbc" not in places:
        pytest.skip("the ODBC driver of PostgreSQL is not there: only ADBC was tried")


def test_sqlite_is_read_and_never_written(sqlite, store):
    with sqlite3.connect(sqlite) as made:
        made.execute(insert(0, 12))
    _, said = pulled(store, f"sqlite://{sqlite}", site(BY_ID), rounds=2)
    assert [one["good"]["orders"] for one in said] == [10, 2] and len(tools(store)) == 12
    with sqlite3.connect(sqlite) as made:
        made.execute("update work_orders set tool = null where id = 1")
        made.execute(
            "insert into work_orders (id, machine, done_at) values (50, 'm1', '2026-01-01'), (51, 'm1', 'soon')"
        )
    pulled(store, f"sqlite://{sqlite}", site(BY_ID))
    assert store.quarantine() == {"orders": {"'at' is no time": 1}}


def test_marks_that_are_none_and_columns_that_no_cell_holds_are_told(sqlite, store):
    with sqlite3.connect(sqlite) as made:
        made.execute(insert(0, 2))
    for query, what in (
        (data.Query("orders", "select tool from work_orders where id > :mark", "id"), "no such column"),
        (
            data.Query("orders", "select tool as id, machine from work_orders where 1 > :mark", "id"),
            "no whole number",
        ),
        (
            data.Query("orders", "select x'00' as b, id, machine from work_orders where id > :mark", "id"),
            "which no cell holds",
        ),
        (data.Query("orders", SQL, "id", since="2020-01-01"), "is no time"),
    ):
        watch, _ = pulled(store, f"sqlite://{sqlite}", site(query))
        assert what in watch.total.trouble, watch.total.trouble
    assert store.journal.committed() == 0


@pytest.mark.parametrize(
    ("address", "binding", "what"),
    [
        ("postgresql://me:secret@h/db", site(BY_ID), "PGPASSWORD"),
        ("odbc:Driver=x;PWD=secret", site(BY_ID), "ODBC_PASSWORD"),
        ("sqlite:///x.db", None, "no query to ask"), ("sqlite:///x.db", site(), "no query to ask"),
    ],
)  # fmt: skip
def test_addresses_with_secrets_and_bindings_without_queries_are_refused(store, address, binding, what):
    with pytest.raises(errors.DeclarationError, match=what) as error:
        databases.Watch(store, address, binding)
    assert "secret" not in str(error.value)


def test_a_database_that_is_not_there_is_told(store, tmp_path):
    watch, said = pulled(store, f"sqlite://{tmp_path}/none.db", site(BY_ID))
    assert "no database" in watch.total.trouble and said[0]["trouble"] == watch.total.trouble
    assert not (tmp_path / "none.db").exists()
