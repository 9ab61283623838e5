import pickle

from flyball.torture import payloads


def test_the_payloads_really_run_when_somebody_reads_them():
    payloads.EXECUTED.clear()
    pickle.loads(payloads.code()["model.pkl"])
    assert payloads.EXECUTED == ["pickle"]
    payloads.EXECUTED.clear()


def test_weights_lie_where_they_are_said_to(tmp_path):
    for how in payloads.PLACES:
        folder = tmp_path / how.replace(" ", "_") / "draft"
        folder.mkdir(parents=True)
        payloads.placed(folder, how)
        assert (folder / "model.onnx").stat().st_size > 50
    assert (tmp_path / "symlink" / "draft" / "weights.bin").is_symlink()
    assert (tmp_path / "hard_link" / "draft" / "weights.bin").stat().st_nlink == 2
