import asyncio
import http.client
import json
import os
import signal
import socket
import time

import numpy as np
import pytest

from flyball.site import endpoint_http, endpoint_model, endpoint_tensors, endpoint_traces, metrics, process
from flyball.site import router as routers
from flyball.torture import small

INFER = "/v2/models/pump/infer"


@pytest.fixture
def ask(endpoint):
    """Ask over a connection of its own: `ask(path, body, method, headers)` gives status, headers, object."""
    made = []

    def go(path, body=None, method=None, headers=()):
        made.append(http.client.HTTPConnection(endpoint.url.removeprefix("http://"), timeout=10))
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        made[-1].request(method or ("GET" if body is None else "POST"), path, content, dict(headers))
        found = made[-1].getresponse()
        text = found.read()
        return found.status, dict(found.getheaders()), json.loads(text) if text[:1] == b"{" else text

    yield go
    for one in made:
        one.close()


def test_it_answers_as_the_release_does(ask, router, releases):
    x = small.matrix(300)
    status, headers, told = ask(
        INFER, small.request(x, id="7", parameters={"a": 1}, outputs=[{"name": "answer"}])
    )
    assert status == 200 and headers["content-type"] == "application/json"
    assert told["id"] == "7" and told["model_version"] == releases["trees"].name[:12]
    (out,) = told["outputs"]
    assert out["shape"] == [300] and out["datatype"] == "FP64"
    assert np.array_equal(out["data"], router.answer(x, 10))


def test_the_paths_of_the_protocol_are_there(ask, releases):
    version = releases["trees"].name[:12]
    assert ask("/v2")[2]["name"] == "flyball"
    assert ask("/v2/health/live")[2] == {"live": True} and ask("/v2/health/ready")[2] == {"ready": True}
    for path in ("/v2/models/pump", f"/v2/models/pump/versions/{version}"):
        assert [one["name"] for one in ask(path)[2]["inputs"]] == ["c0", "c1", "c2", "kind"]
    assert ask(f"/v2/models/pump/versions/{version}/ready")[2] == {"name": "pump", "ready": True}
    assert ask(f"/v2/models/pump/versions/{version}/infer", small.request(small.matrix(1)))[0] == 200
    status, headers, text = ask("/metrics")
    assert (
        status == 200 and headers["content-type"].startswith("text/plain") and b"flyball_rows_total" in text
    )


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/", "GET", 404),
        ("/v2/models/", "GET", 404),
        ("/v2/models/pomp", "GET", 404),
        ("/v2/models/pump/versions/0", "GET", 404),
        ("/v2/models/pump/other/0/infer", "GET", 404),
        ("/v2/models/../../etc/passwd", "GET", 404),
        ("/v2", "POST", 405),
        (INFER, "GET", 405),
    ],
)
def test_other_paths_and_methods_are_refused(ask, path, method, status):
    found, _, told = ask(path, b"{}" if method == "POST" else None, method)
    assert found == status and list(told) == ["error"] and len(told["error"]) < 60


def test_an_error_tells_nothing_of_the_inside(ask, router, monkeypatch, caplog):
    monkeypatch.setattr(router, "send", lambda *rest, **more: 1 / 0)
    status, _, told = ask(INFER, small.request(small.matrix(1)))
    assert (status, told) == (500, {"error": "not answered"})
    assert "ZeroDivisionError" in caplog.text


def test_too_large_a_body_is_not_read(ask):
    status, headers, told = ask(INFER, b"", "POST", {"content-length": str(2**20 + 1)})
    assert status == 413 and headers["connection"] == "close" and "1048576" in told["error"]


def call(application, body=b"", messages=None, headers=None, path=INFER, method="POST"):
    """Ask the application itself; return status, headers and body."""
    sent = []
    queue = list(messages or [{"type": "http.request", "body": body}])
    found = [(b"content-length", str(len(body)).encode())] if headers is None else headers

    async def receive():
        if not queue:
            await asyncio.sleep(60)
        return queue.pop(0)

    async def send(message):
        sent.append(message)

    asyncio.run(
        application({"type": "http", "path": path, "method": method, "headers": found}, receive, send)
    )
    return sent[0]["status"], dict(sent[0]["headers"]), json.loads(sent[1]["body"])


@pytest.fixture
def application(router):
    def make(caps=None, one=router, tokens=None):
        model = endpoint_model.Model("pump", one, caps or endpoint_tensors.Caps())
        return endpoint_http.Application(model, metrics.Metrics(one), tokens, endpoint_traces.Traces())

    return make


@pytest.mark.parametrize(
    ("headers", "status"),
    [([], 411), ([(b"content-length", b"-1")], 411), ([(b"content-length", b"9" * 30)], 413)],
)
def test_a_body_without_its_length_is_refused(application, headers, status):
    assert call(application(), headers=headers)[0] == status


def test_a_body_that_comes_too_slowly_is_refused(application):
    first = {"type": "http.request", "body": b"{", "more_body": True}
    status, headers, told = call(application(endpoint_tensors.Caps(body_s=0.05)), b"{}", [first])
    assert status == 408 and headers[b"connection"] == b"close" and "slowly" in told["error"]


def test_who_hangs_up_in_the_middle_is_let_go(application):
    first = {"type": "http.request", "body": b"{", "more_body": True}
    assert call(application(), b"{}", [first, {"type": "http.disconnect"}])[0] == 400


def test_too_many_at_once_are_told_to_come_back(application):
    body = json.dumps(small.request(small.matrix(1))).encode()
    status, headers, _ = call(application(endpoint_tensors.Caps(together=0)), body)
    assert status == 503 and headers[b"retry-after"] == b"1"


def test_an_answer_that_takes_too_long_is_told_to_come_back(application, releases):
    body = json.dumps(small.request(small.matrix(1))).encode()
    with routers.Router() as one:
        one.switch(releases["one"], releases["one"].name)
        os.kill(one.current.pid, signal.SIGSTOP)
        begun = time.monotonic()
        assert call(application(endpoint_tensors.Caps(answer_s=0.1), one), body)[0] == 503
        assert time.monotonic() - begun < 5
        os.kill(one.current.pid, signal.SIGCONT)


def test_while_a_scorer_is_started_again_a_request_waits(application, releases):
    body = json.dumps(small.request(small.matrix(1))).encode()
    with routers.Router(wait_s=20.0) as one:
        one.switch(releases["one"], releases["one"].name)
        one.current.kill()
        one.current._gone.wait(10)
        assert call(application(None, one), body)[0] == 200


def test_before_a_release_serves_it_is_not_ready(application):
    one = application(None, routers.Router(wait_s=0.0))
    assert call(one, path="/v2/health/ready", method="GET")[0] == 503
    assert call(one, path="/v2/health/live", method="GET")[0] == 200
    assert call(one, path="/v2/models/pump", method="GET")[0] == 503


def test_a_row_that_the_model_cannot_answer_is_the_askers_fault(application, router, monkeypatch):
    from concurrent.futures import Future

    failed = Future()
    failed.set_exception(process.errors.DataError("/secret/folder: column 'c1' is odd"))
    monkeypatch.setattr(router, "send", lambda *rest, **more: (router.digest, failed))
    body = json.dumps(small.request(small.matrix(1))).encode()
    assert call(application(), body)[::2] == (400, {"error": "the model cannot answer these rows"})


def test_only_http_is_spoken(application):
    with pytest.raises(RuntimeError, match="websocket"):
        asyncio.run(application()({"type": "websocket", "path": "/"}, None, None))


def test_many_requests_on_one_connection(endpoint):
    body = json.dumps(small.request(small.matrix(2))).encode()
    head = f"POST {INFER} HTTP/1.1\r\nhost: a\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    host, port = endpoint.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as end:
        end.sendall((head + body) * 5)
        found = b""
        while found.count(b'"outputs"') < 5:
            found += end.recv(2**16)
    assert found.count(b"HTTP/1.1 200 OK") == 5
