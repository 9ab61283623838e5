import json
import random

from flyball.torture import requests, small


def test_hostile_requests_are_refused_and_nobody_else_notices(tmp_path):
    """R27.  What is measured is taken again where another load on this machine came in between."""
    told = [requests.hostile(1, tmp_path / "0")]
    while not told[-1].passed and len(told) < 3:
        told.append(requests.hostile(1, tmp_path / str(len(told))))
    assert told[-1].passed, [one.why for one in told]
    assert told[-1].recovery_s < requests.REFUSED_S


def test_without_caps_the_trial_fails(tmp_path):
    told = requests.hostile(1, tmp_path, "no caps")
    assert not told.passed
    assert any(word in told.why for word in ("refused after", "grew by", "p99 of others", "answered with"))


def test_the_corpus_follows_from_the_seed_and_holds_what_the_list_names():
    one, same, other = (requests.corpus(random.Random(seed)) for seed in (1, 1, 2))
    assert one == same != other
    assert {"a huge shape", "NaN", "a wrong datatype", "chunks of a byte", "deep lists", "many ids"} <= set(
        one
    )
    assert all(len(body) < 1_500_000 for body in one.values())


def test_a_request_on_the_wire_is_the_request():
    request = small.request(small.matrix(1))
    head, _, body = requests.framed(json.dumps(request).encode()).partition(b"\r\n\r\n")
    assert json.loads(body) == request and f"content-length: {len(body)}".encode() in head
