import http.client
import json
import socket
import subprocess

import pytest
from securesystemslib.signer import CryptoSigner

from flyball import errors
from flyball.fab.sites import Sites
from flyball.runtime.receiver import Receiver
from flyball.site import uplink
from flyball.site.endpoint_access import Bind
from flyball.torture.fleet import ROLLOUT

TOKEN = "t" * 32


@pytest.fixture
def world(tmp_path):
    made = Sites(tmp_path / "world", 1, {"s1": "nxe"}, ROLLOUT)
    made.boot(made.machines["s1"])
    (tmp_path / "drop").mkdir()
    return made


@pytest.fixture
def bind(tmp_path):
    """A receiver's place on the loopback with TLS and a token."""
    made = {name: tmp_path / name for name in ("cert.pem", "key.pem", "tokens")}
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(made["key.pem"]),
         "-out", str(made["cert.pem"])],
        check=True, capture_output=True,
    )  # fmt: skip
    made["tokens"].write_text(TOKEN + "\n")
    for file in made.values():
        file.chmod(0o600)
    return Bind("127.0.0.1", 0, None, made["cert.pem"], made["key.pem"], made["tokens"])


def keys(world):
    return {name: site.key.public_key for name, site in world.machines.items()}


def test_what_a_machine_sends_over_tls_arrives_once_and_is_let_go_of(world, bind, tmp_path):
    agent, drop = world.machines["s1"].agent, tmp_path / "drop"
    for n in range(3):
        agent.keep("outcomes", {"n": n})
    aside = {}
    with Receiver(drop, keys(world), bind) as receiver:
        agent.uplink = uplink.Post(receiver.url, bind.certificate, TOKEN)
        agent._send(world.now)
        assert agent.spool.waiting()["outcomes"] == 3 and not agent.problem
        for _ in range(2):
            assert uplink.heard(drop, world.controller.receive, aside.__setitem__) == 1
            agent._send(world.now)
        assert agent.spool.waiting()["outcomes"] == 0
        assert [record["n"] for record in world.told("outcomes")] == [0, 1, 2] and not aside
        agent.uplink = uplink.Post(receiver.url, bind.certificate, "x" * 32)
        agent._send(world.now)
        assert "401" in agent.problem
        with pytest.raises(errors.UnreachableError, match="certificate"):
            uplink.Post(receiver.url, None, TOKEN).send("s1", b"{}", [], print)
    with pytest.raises(errors.UnreachableError):
        uplink.Post(receiver.url or "https://127.0.0.1:9", bind.certificate, TOKEN).send(
            "s1", b"{}", [], print
        )


def test_what_another_signed_or_somebody_changed_on_the_way_is_refused(world, tmp_path):
    agent = world.machines["s1"].agent
    agent.keep("exposures", {"machine": "s1", "outcomes": 1})
    batches = list(agent.spool.batches())
    receiver = Receiver(tmp_path / "drop", keys(world), Bind(port=0))
    good = uplink.told(agent.report(batches), batches)
    assert receiver.take("s1", good) == {"last": {}}
    with pytest.raises(errors.SignatureError, match="no machine"):
        receiver.take("../s1", good)
    changed = json.loads(good)
    changed["batches"][0]["records"][0]["outcomes"] = 900
    with pytest.raises(errors.SignatureError, match="not what it sent"):
        receiver.take("s1", json.dumps(changed).encode())
    agent.signer = CryptoSigner.generate_ed25519()
    with pytest.raises(errors.SignatureError, match="not signed by its key"):
        receiver.take("s1", uplink.told(agent.report(batches), batches))
    for odd in (b"", b"[]", b'{"report": 1}', b"\xff"):
        with pytest.raises(errors.DataError):
            receiver.take("s1", odd)
    assert uplink.sent((tmp_path / "drop" / "s1.out.json").read_bytes())[1] == batches


@pytest.mark.parametrize("method, path, headers, status", [
    ("PUT", "/machines/s1", {"Content-Length": str(2**25)}, 413),
    ("PUT", "/machines/s1", {"Transfer-Encoding": "chunked"}, 411),
    ("PUT", "/elsewhere", {"Content-Length": "0"}, 404),
    ("PUT", "/machines/s9", {"Content-Length": "0"}, 400),
    ("GET", "/machines/s1", {}, 501),
])  # fmt: skip
def test_what_is_no_report_is_refused_unread(world, tmp_path, method, path, headers, status):
    with Receiver(tmp_path / "drop", keys(world), Bind(port=0)) as receiver:
        asking = http.client.HTTPConnection(receiver.url.removeprefix("http://"), timeout=5)
        asking.putrequest(method, path)
        for name, value in headers.items():
            asking.putheader(name, value)
        asking.endheaders()
        assert asking.getresponse().status in (status, 403 if path.endswith("s9") else status)
        asking.close()


def test_who_is_slow_holds_up_nobody_and_it_listens_only_where_it_may(world, bind, tmp_path):
    with Receiver(tmp_path / "drop", keys(world), bind) as receiver:
        port = int(receiver.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)):  # never shakes hands
            agent = world.machines["s1"].agent
            uplink.Post(receiver.url, bind.certificate, TOKEN).send("s1", agent.report(), [], print)
    with pytest.raises(errors.DeclarationError, match="other machines"):
        Receiver(tmp_path / "drop", {}, Bind("0.0.0.0"))
    with pytest.raises(errors.DeclarationError, match="in the clear"):
        uplink.Post("http://updates.example", token=TOKEN)
