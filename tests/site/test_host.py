import pytest

from flyball import errors
from flyball.site.host import Answering
from flyball.torture import small


@pytest.fixture
def host():
    made = Answering(apart=0.0001)
    yield made
    made.close()


def test_the_shadow_is_asked_compared_and_never_returned(host, tmp_path):
    x = small.matrix(4)
    one, two = (small.made(tmp_path / name, "logistic", seed) for name, seed in (("one", 1), ("two", 2)))
    host.switch(one, one.name)
    alone = host.answer(x).tolist()
    host.counts()
    host.shadow(two, two.name)
    assert host.answer(x).tolist() == alone
    counts = host.counts()
    assert counts[one.name] == {"answers": 4, "slow": 0}
    assert counts[two.name]["answers"] == 4 and counts[two.name]["disagreed"] > 0
    assert host.counts() == {}
    host.shadow(None, "")
    host.answer(x)
    assert two.name not in host.counts()


def test_a_shadow_that_cannot_be_loaded_leaves_what_serves(host, tmp_path):
    x = small.matrix(1)
    one = small.made(tmp_path / "one", "logistic", 1)
    host.switch(one, one.name)
    with pytest.raises(errors.FlyballError):
        host.shadow(small.made(tmp_path / "two", "logistic", 2, broken=True), "ab" * 32)
    assert len(host.answer(x)) == 1 and host.failed() == ""
