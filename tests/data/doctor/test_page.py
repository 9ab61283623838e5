"""Which table gets a page, and why none does where it would be dishonest."""

from flyball.data.doctor import examine, page


def folder(place, **tables):
    for name, text in tables.items():
        path = place / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / f"{path.name}.csv").write_text(text)
    return page.propose(examine.folder_of(place))


def rows(head, line, count=200):
    return f"{head}\n" + "".join(
        line.format(n=n, odd=n % 2, day=1 + n // 24 % 28, hour=n % 24) + "\n" for n in range(count)
    )


FLEET = rows("machine,time,x,failed", "m{odd},2026-01-{day:02d}T{hour:02d}:00:00Z,{n}.5,{odd}", 400)


def test_the_largest_table_with_a_truth_is_chosen(tmp_path):
    out = folder(
        tmp_path,
        a__fleet=FLEET,
        b__large=rows("machine,time,y", "m{odd},2026-01-{day:02d}T{hour:02d}:00:00Z,{n}", 600),
    )
    assert (out["table"], out["todo"], out["from"]) == ("fleet", False, str(tmp_path / "a" / "fleet.csv"))


def test_events_of_another_table_are_what_is_asked(tmp_path):
    from flyball import system

    out = folder(
        tmp_path, telemetry=rows("machine,time,x,y", "m{odd},2026-01-{day:02d}T{hour:02d}:00:00Z,{n}.5,{n}.25", 600),
        repairs=rows("machine,time,part,failed", "m{odd},2026-01-{day:02d}T{hour:02d}:30:00Z,p{odd},{odd}", 90),
    )  # fmt: skip
    assert (out["table"], out["todo"], out["from"]) == ("telemetry", False, str(tmp_path))
    assert "labels.FailsWithin(DAY, event='repairs.failed')" in out["text"]
    names: dict = {}
    exec(compile(out["text"], "page", "exec"), names)
    made = names["system"]
    assert list(made.problems()) == []
    assert [table.name for table in made.data.tables] == ["telemetry", "repairs"]
    assert made.features.columns and all("repairs" not in repr(column) for column in made.features.columns)
    assert system.read(repr(made)) == made


def test_without_a_truth_the_page_is_to_be_finished_and_where_a_truth_may_be_is_said(tmp_path):
    out = folder(
        tmp_path, a__rows=rows("machine,time,x", "m{odd},2026-01-{day:02d}T{hour:02d}:00:00Z,{n}.5", 400),
        b__orders=rows("machine,time,failure", "m{odd},2026-01-{day:02d}T{hour:02d}:00:00Z,part {odd}", 50),
    )  # fmt: skip
    assert (out["table"], out["todo"]) == ("rows", True)
    assert "orders.failure may be what is to be known: declare that table too" in out["missing"]


def test_a_truth_in_a_file_of_as_many_rows_is_said(tmp_path):
    out = folder(tmp_path, secom=rows("id,x,y", "{n},{n}.5,{n}.25"), labels=rows("label,when", "{odd},{n}"))
    assert any("labels.label may be what is to be known" in missing for missing in out["missing"])


def test_no_page_where_it_would_be_dishonest(tmp_path):
    for name, text, said in (
        ("few", rows("id,x,label", "{n},{n}.5,{odd}", 30), "30 rows are too few"),
        ("nameless", rows("1,2.5", "{n},{n}.5"), "names no columns"),
        (
            "written",
            rows("machine,time,x,failed", "m{odd},{day:02d}/01/2026 {hour:02d}:00,{n}.5,{odd}"),
            "write them as ISO 8601",
        ),
        ("nobody", rows("x,label", "{n}.5,{odd}"), "no column tells its rows apart"),
    ):
        out = folder(tmp_path / name, rows=text)
        assert out["text"] is None
        assert any(said in missing for missing in out["missing"]), (name, out["missing"])
    assert page.propose(examine.folder_of(tmp_path / "few")).get("todo") is False


def test_nothing_to_read(tmp_path):
    (tmp_path / "a.md").write_text("x")
    assert folder(tmp_path)["missing"] == ["no file was found that holds rows"]


def test_a_count_since_1970_gets_a_binding(tmp_path):
    text = rows("machine,time,x,failed", "m{odd},{n},{n}.5,{odd}", 400)
    lines = text.splitlines()
    text = (
        "\n".join(
            [
                lines[0],
                *(
                    line.replace(f",{n},", f",{1_767_225_600 + 3600 * n},", 1)
                    for n, line in enumerate(lines[1:])
                ),
            ]
        )
        + "\n"
    )
    assert folder(tmp_path, rows=text)["binding"] == "data.Binding('site', epoch='s')"
