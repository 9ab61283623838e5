import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.cli import shown

values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.tuples(inner), st.dictionaries(st.text(), inner)),
)


@given(values)
def test_what_is_said_is_strict_json(value):
    json.dumps(shown.plain(value), allow_nan=False)


def test_one_object_or_lines(capsys):
    shown.say({"a": float("nan")}, True, lambda: iter(["never"]))
    shown.say({"a": 1}, False, lambda: iter(["one", "two"]))
    assert capsys.readouterr().out == '{"a": null}\none\ntwo\n'


@pytest.mark.parametrize("quiet", [True, False])
def test_no_bars_where_nobody_looks(monkeypatch, quiet):
    err = io.StringIO()
    monkeypatch.setattr("sys.stderr", err)
    with shown.progress(quiet) as progress:
        progress("features", 1, 2)
    assert err.getvalue() == ""


def test_bars_on_a_terminal(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    err = Terminal()
    monkeypatch.setattr("sys.stderr", err)
    with shown.progress(False) as progress:
        progress("features", 1, 2)
        progress("features", 2, 2)
    assert "features" in err.getvalue()


TOLD = {
    "system": "pumps",
    "rows": {"asked": 10, "train": 6, "test": 4},
    "data": {
        "quarantined": {"telemetry": {"no time": 3}},
        "absent": {"telemetry.x": "absent from the file"},
        "stopped_features": {"x.mean": "x has not arrived"},
        "expectations": [{"column": "telemetry.y", "figure": 0.5, "limit": 0.1, "passed": False}],
    },
    "contest": {
        "baseline": {"auc": [0.5, 0.4, 0.6]},
        "challenger": {"auc": [0.9, 0.8, 1.0]},
        "ceiling": None,
        "peers": {"plain": {"auc": [0.7, 0.6, 0.8]}},
    },
    "verdicts": [{"gate": "Beats", "figure": 0.3, "limit": 0.02, "passed": True}],
    "release": None,
    "watch": {
        "alarms": [{"detector": "drift", "at": 9, "columns": ["x"], "cause": "sensor"}],
        "retrain": "weekly",
    },
    "steps": [{"reused": True, "seconds": 1.5}, {"reused": False, "seconds": 0.5}],
}


def test_a_run_in_plain_words():
    assert list(shown.run_lines(TOLD)) == [
        "pumps: 10 questions, learned from 6, judged on 4",
        "  quarantined: telemetry: 3 x no time",
        "  absent: telemetry.x: absent from the file",
        "  stopped: x.mean: x has not arrived",
        "  expected of telemetry.y: 0.5 against 0.1, does not hold",
        "  auc                  baseline           0.500 [0.400, 0.600]",
        "  auc                  plain              0.700 [0.600, 0.800]",
        "  auc                  challenger         0.900 [0.800, 1.000]",
        "  gate Beats: passed, 0.3 against 0.02",
        "  release: none: a gate failed, the baseline goes on answering",
        "  watch: 1 alarm(s), train again: weekly",
        "    drift-bd5b3f: x: a sensor is likely to be broken: check it before the model",
        "  steps: 2, 1 reused, 2.0 s",
    ]
