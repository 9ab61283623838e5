"""Members of archives are read like files, whole or in pieces, never beyond their bounds."""

import io
import tarfile
import zipfile

import pytest

from flyball import errors
from flyball.data.doctor import examine, folder, members

ROWS = "machine,time,x\n" + "".join(f"m{n % 3},2026-01-01T{n // 3:02d}:00:00Z,{n}.5\n" for n in range(60))


@pytest.fixture(params=["zip", "tar"])
def archive(tmp_path, request):
    path = tmp_path / f"week.{request.param}"
    if request.param == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("pump-1.csv", ROWS)
            file.writestr("pump-2.csv", ROWS)
    else:
        with tarfile.open(path, "w") as file:
            for name in ("pump-1.csv", "pump-2.csv"):
                told = tarfile.TarInfo(name)
                told.size = len(ROWS)
                file.addfile(told, io.BytesIO(ROWS.encode()))
    return path


def test_whole_and_in_pieces(archive):
    good, refused = members.listed(archive)
    assert (good, refused) == ([("pump-1.csv", len(ROWS)), ("pump-2.csv", len(ROWS))], [])
    file = folder.File(archive, f"{archive.name}/pump-2.csv", len(ROWS), ".csv", "pump-2.csv")
    assert members.content(file, 10**6) == ROWS.encode()
    assert members.piece(file, 10, 20) == ROWS.encode()[10:30]
    with pytest.raises(errors.DataError, match="at most 5"):
        members.content(file, 5)
    members.forget()


def test_tables_in_archives_are_profiled_and_a_page_is_run_on_the_archive(archive):
    from flyball.data.doctor import page

    told = examine.folder_of(archive.parent)
    (table,) = told["tables"]
    assert (table["name"], table["rows"], table["machines"], table["files"]) == ("pump", 120, 3, 2)
    assert told["copies"] == [[f"{archive.name}/pump-1.csv", f"{archive.name}/pump-2.csv"]]
    assert page.propose(told)["from"] == str(archive)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(members, "LIMITS", members.arrivals.Limits(file=1_000, members=10, unpacked=10**6))
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.csv", "1,2\n" * 10**6)
    told = examine.folder_of(tmp_path)
    assert told["tables"] == []
    ((name, why),) = told["passed"]
    assert name == "bomb.zip" and "at most" in why


def test_a_truncated_archive_is_named(archive):
    archive.write_bytes(archive.read_bytes()[:100])
    told = examine.folder_of(archive.parent)
    assert told["tables"] == []
    assert archive.name in str(told["passed"] + told["unread"])
