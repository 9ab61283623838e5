import socket
import time

import pytest

from flyball.site import endpoint_guard

HEAD = b"POST /v2/models/pump/infer HTTP/1.1\r\nhost: a\r\n"


@pytest.fixture
def sent(endpoint):
    """Send bytes, and return all that comes back until the other end closes."""
    host, port = endpoint.url.removeprefix("http://").split(":")

    def go(*pieces):
        with socket.create_connection((host, int(port)), timeout=10) as end:
            found = b""
            try:
                for piece in pieces:
                    end.sendall(piece)
                while more := end.recv(2**16):
                    found += more
            except (BrokenPipeError, ConnectionResetError):
                pass
            return found

    return go


@pytest.mark.parametrize(
    ("pieces", "status"),
    [
        ([b"\x16\x03\x01\x02\x00\x01\x00"], 400),
        ([b"GET / HTTP/9.9\r\n\r\n"], 400),
        ([HEAD + b"content-length: 1\r\ncontent-length: 2\r\n\r\n"], 400),
        ([HEAD + b"transfer-encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 40_000], 411),
        ([HEAD + b"a: b\r\n" * 20_000], 431),
        ([HEAD + b"a: " + b"b" * 200_000 + b"\r\n\r\n"], 431),
        ([b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n\r\n"], 431),
        ([b"GET /v2 HTTP/1.1\r\nhost: a\r\n\r\n" * 5000], 429),
    ],
)
def test_what_is_too_much_is_refused_and_the_connection_closed(sent, pieces, status):
    found = sent(*pieces)
    # A reset may overtake the words where much is sent that nobody reads.
    assert not found or b"HTTP/1.1 %d " % status in found
    assert b"Traceback" not in found


def test_a_head_that_never_ends_is_refused(sent):
    found = sent(HEAD, *[b"x" * 1000 for _ in range(20)])
    assert not found or b" 431 " in found


def test_a_head_that_comes_too_slowly_is_refused(sent, monkeypatch):
    monkeypatch.setattr(endpoint_guard, "HEAD_S", 0.05)
    begun = time.monotonic()
    assert b" 408 " in sent(HEAD)
    assert b" 408 " in sent(b"GET /v2 HTTP/1.1\r\nhost: a\r\n\r\n", HEAD)
    assert b" 408 " in sent()
    assert time.monotonic() - begun < 5


def test_a_whole_request_is_let_through(sent):
    found = sent(b"GET /v2/health/live HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
    assert found.startswith(b"HTTP/1.1 200 OK") and found.endswith(b'{"live":true}')
