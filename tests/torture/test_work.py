from flyball.torture import work


def test_lots_that_are_whole_say_so_and_half_ones_do_not(tmp_path):
    work.lots(tmp_path / "in", 3, 3)
    said = []
    work.go(tmp_path / "store", tmp_path / "in", said.append)
    told = work.content(tmp_path / "store")
    assert said == ["lot-000", "lot-001", "lot-002"]
    assert told["lots"] == dict.fromkeys(said, work.WHOLE) and told["state"] == "lot-002"
    work.go(tmp_path / "store", tmp_path / "in", said.append)
    assert work.content(tmp_path / "store")["digest"] == told["digest"]


def test_the_digest_is_of_what_is_there(tmp_path):
    work.lots(tmp_path / "one", 3, 2)
    work.lots(tmp_path / "other", 4, 2)
    for name in ("one", "other"):
        work.go(tmp_path / f"store-{name}", tmp_path / name, lambda lot: None)
    told = [work.content(tmp_path / f"store-{name}")["digest"] for name in ("one", "other")]
    assert told[0] != told[1]
