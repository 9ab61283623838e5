from flyball.torture import hostile


def test_a_bomb_that_goes_off_is_noticed(tmp_path, monkeypatch):
    """Without the limits the bombs are unpacked: it costs memory, and nothing is refused."""
    free = "from flyball.data import arrivals, images\nimages.FREE = arrivals.FREE = 2**40\n"
    free += "import flyball.data.formats.raw as raw, flyball.data.bundles as bundles\nraw.FREE = bundles.FREE = 2**40\n"
    monkeypatch.setattr(hostile, "_CHILD", free + hostile._CHILD)
    told = hostile.refused(1, tmp_path)
    assert not told.passed and ("is not refused" in told.why or "MiB more" in told.why)


def test_a_child_that_ends_in_the_middle_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(hostile, "_CHILD", "raise SystemExit(7)")
    monkeypatch.setattr(hostile, "plant", lambda folder, seed: {})  # what it would have read is no matter
    assert "ended with 7" in hostile.refused(1, tmp_path).why


def test_a_picture_of_zeros_is_a_picture():
    import io

    from PIL import Image

    assert Image.open(io.BytesIO(hostile.png(30, 20))).size == (30, 20)
