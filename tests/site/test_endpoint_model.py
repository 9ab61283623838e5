import numpy as np
import pytest

from flyball import errors
from flyball.site import endpoint_model, endpoint_tensors, process, wire
from flyball.site import router as routers
from flyball.torture import small


@pytest.fixture
def model(router):
    return endpoint_model.Model("pump", router)


def written(model, n):
    return model.written(endpoint_tensors.tensors(small.request(small.matrix(n)), model.caps))


def test_a_question_is_answered_as_the_router_answers_it(model, router):
    asked = written(model, 7)
    frame = process.Process.waited(model.send(asked), 10)
    assert np.array_equal(model.told(frame, asked), router.answer(small.matrix(7), 10))
    with pytest.raises(errors.DataError, match="7 answers to 6 rows"):
        model.told(frame, asked._replace(rows=6))


def test_only_small_questions_go_at_once_and_only_while_few_wait(model, monkeypatch):
    assert model.at_once(written(model, 1)) and not model.at_once(written(model, 500))
    monkeypatch.setattr(endpoint_model, "FEW", 0)
    assert not model.at_once(written(model, 1))


def test_it_is_known_by_its_name_and_the_release_that_serves(model, releases):
    model.known("pump", None)
    model.known("pump", releases["trees"].name[:12])
    for name, version in (("pomp", None), ("pump", "0")):
        with pytest.raises(endpoint_tensors.RefusedError) as refused:
            model.known(name, version)
        assert refused.value.status == 404
    assert model.described()["versions"] == [releases["trees"].name[:12]]


def test_another_release_has_another_schema(releases):
    with routers.Router() as router:
        model = endpoint_model.Model("pump", router)
        with pytest.raises(process.RetryError, match="no release"):
            model.schema()
        router.switch(releases["one"], releases["one"].name)
        assert model.schema() is model.schema() and model.schema().digest == releases["one"].name
        asked = written(model, 1)
        router.switch(releases["two"], releases["two"].name)
        with pytest.raises(process.RetryError, match="another release"):
            model.send(asked)
        assert model.schema().digest == releases["two"].name
        assert process.Process.waited(model.send(written(model, 1)), 10).kind == wire.Kind.ANSWER
