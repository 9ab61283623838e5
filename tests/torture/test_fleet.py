"""Each trial of a fleet keeps its promise, and fails when what it is about is broken on purpose."""

import re

import pytest

from flyball import errors
from flyball.torture import agents, fleet, payloads, serving

ROWS = {f"R{number}" for number in (4, *range(24, 47))}
#: Trials of processes have their own tests beside them.
ELSEWHERE = {trial.fault for trial in serving.TRIALS} | {fault for _, fault, _, _ in agents.TRIALS}
OWN = [trial for trial in fleet.trials() if trial.fault not in ELSEWHERE]
BROKEN = [trial for trial in fleet.trials(sabotage=True) if trial.fault not in ELSEWHERE]


def test_every_row_of_the_list_is_tried():
    assert {trial.row for trial in fleet.trials()} | {one.row for one in fleet.OPEN} == ROWS


@pytest.mark.parametrize("trial", OWN, ids=lambda trial: re.sub(r"\W+", "-", f"{trial.row} {trial.fault}"))
def test_the_promise_is_kept(trial, tmp_path):
    told = trial.run(1, tmp_path)
    assert told.passed, told.why


@pytest.mark.parametrize("trial", BROKEN, ids=lambda trial: re.sub(r"\W+", "-", f"{trial.row} {trial.fault}"))
def test_the_trial_notices_what_is_broken(trial, tmp_path):
    told = trial.run(1, tmp_path)
    assert not told.passed


def test_a_row_that_is_not_tried_is_told():
    with pytest.raises(errors.DeclarationError, match="no row 'R99'"):
        fleet.table([0], ["R99"])


def test_a_graph_made_by_hand_is_what_the_format_says(tmp_path):
    onnx = pytest.importorskip("onnx")
    found = onnx.ModelProto.FromString(payloads.outside("../secret.bin"))
    assert found.graph.initializer[0].external_data[0].value == "../secret.bin"
    assert found.graph.node[0].op_type == "MatMul"
