import gzip
import pathlib

from flyball.data.formats import jsonl

PATH = pathlib.Path("a.jsonl")


def test_names_may_come_and_go_from_line_to_line():
    raw = jsonl.read(PATH, b'{"a": 1}\n\n{"b": true, "a": 2.5}\n{"a": null, "b": "x"}')
    assert raw.frame.to_dict(as_series=False) == {"a": ["1", "2.5", None], "b": [None, "true", "x"]}
    assert raw.lines.tolist() == [1, 3, 4] and not raw.bad and not raw.note


def test_a_line_that_is_no_object_is_set_apart():
    raw = jsonl.read(PATH, b'{"a": 1}\nno\n[1]\n\xff\n{"a": 2}\n')
    assert [(bad.line, bad.reason) for bad in raw.bad] == [
        (2, "no JSON"),
        (3, "no JSON object"),
        (4, "not UTF-8"),
    ]
    assert raw.frame["a"].to_list() == ["1", "2"]


def test_a_cut_last_line_is_told_with_the_byte():
    raw = jsonl.read(PATH, b'{"a": 1}\n{"a": 2')
    assert raw.note == "incomplete at byte 16" and raw.bad[0].line == 2


def test_gzip_and_deep_nesting_are_survived():
    content = b'{"a": ' + b"[" * 100_000 + b"\n" + b'{"a": 1}\n'
    raw = jsonl.read(pathlib.Path("a.jsonl.gz"), gzip.compress(content))
    assert raw.frame["a"].to_list() == ["1"] and len(raw.bad) == 1
