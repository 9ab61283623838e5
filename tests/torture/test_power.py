import pathlib
import random
import tempfile

from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.torture import layer, power, warm, work


def record(what, path, other="", offset=0, content=b""):
    return f"{what}\t{path}\t{other}\t{offset}\t{len(content)}\n".encode() + content


def left(root, records, tries=200):
    """Return the states that a cut may leave after some records: {name: content}."""
    found, room = set(), pathlib.Path(tempfile.mkdtemp(dir=root.parent))
    for seed in range(tries):
        disk = power.Disk(root)
        for act in power.acts(b"".join(records)):
            disk.play(act)
        out = room / str(seed)
        disk.cut(out, random.Random(seed))
        found.add(tuple(sorted((path.name, path.read_bytes()) for path in out.rglob("*") if path.is_file())))
    return found


def test_what_is_forced_is_always_there_and_nothing_else(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    file = f"{root}/a"
    forced = [record("create", file), record("write", file, content=b"new"), record("sync", file)]
    named = [*forced, record("sync", str(root))]
    assert left(root, named) == {(("a", b"new"),)}
    assert left(root, forced) == {(("a", b"new"),), ()}


def test_unforced_writes_may_be_there_torn_missing_or_out_of_order(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (root / "a").write_bytes(b"old")
    writes = [
        record("write", f"{root}/a", offset=0, content=b"1" * 1024),
        record("write", f"{root}/a", offset=1024, content=b"2" * 1024),
    ]
    found = {dict(state)["a"] for state in left(root, writes)}
    whole = b"1" * 1024 + b"2" * 1024
    assert {b"old", whole, b"1" * 1024} <= found  # none, all, the first alone
    assert b"old" + bytes(1021) + b"2" * 1024 in found  # the second alone
    assert any(len(content) % 512 == 0 and 512 <= len(content) < 1024 for content in found)  # torn


def test_a_rename_is_one_act_and_without_the_force_of_its_folder_it_may_not_have_been(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (root / "a").write_bytes(b"old")
    acts = [
        record("create", f"{root}/.part"), record("write", f"{root}/.part", content=b"new"),
        record("sync", f"{root}/.part"), record("rename", f"{root}/.part", f"{root}/a"),
    ]  # fmt: skip
    for state in left(root, acts):
        assert dict(state)["a"] in (b"old", b"new")
    assert {dict(state)["a"] for state in left(root, acts)} == {b"old", b"new"}
    assert {dict(state)["a"] for state in left(root, [*acts, record("sync", str(root))])} == {b"new"}
    # Without the force of the file its name may be there before its bytes.
    assert b"" in {
        dict(state).get("a") for state in left(root, [*acts[:2], acts[3], record("sync", str(root))])
    }


def test_a_trace_that_is_cut_off_is_read_up_to_there():
    whole = record("write", "/r/a", content=b"12345")
    assert [act.until for act in power.acts(whole + whole[:-1])] == [len(whole)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.one_of(st.none(), st.binary(max_size=12))), max_size=8))
def test_all_writes_forced_are_the_file_as_a_file_would_have_them(writes):
    file, plain = power.File(), bytearray()
    for offset, more in writes:
        file.pending.append((offset, more))
        if more is None:
            plain = plain[:offset] + bytes(max(0, offset - len(plain)))
        else:
            plain += bytes(max(0, offset - len(plain)))
            plain[offset : offset + len(more)] = more
    file.force()
    assert file.forced == bytes(plain) and file.pending == []


def files(folder, above=""):
    """Return {path: content} of a folder as it is when everything was forced."""
    found = {}
    for name, what in folder.now.items():
        if isinstance(what, power.Folder):
            found |= files(what, f"{above}{name}/")
        else:
            what.force()
            found[above + name] = what.forced
    return found


def test_the_trace_of_an_ingest_explains_every_byte_of_the_store_so_nothing_writes_past_the_layer(tmp_path):
    work.lots(tmp_path / "in", 1, 2)
    store, trace, running = tmp_path / "store", tmp_path / "trace", warm.shared()
    store.mkdir()
    disk = power.Disk(store)
    running.control.arm(store, layer.COUNT, trace=trace)
    assert running.go(store, tmp_path / "in", trace)["acknowledged"] == ["lot-000", "lot-001"]
    for act in power.acts(trace.read_bytes()):
        disk.play(act)
    there = {str(path.relative_to(store)): path.read_bytes() for path in store.rglob("*") if path.is_file()}
    assert len(there) > 20 and files(disk.top) == there
