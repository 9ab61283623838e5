import datetime
import http.client
import ipaddress
import json
import socket
import ssl

import pytest

from flyball import errors
from flyball.site import endpoint as endpoints
from flyball.site import endpoint_access
from flyball.site.endpoint_messages import messages
from flyball.torture import small

TOKEN = "t" * 32
BODY = json.dumps(small.request(small.matrix(2))).encode()


@pytest.fixture(scope="module")
def secure(tmp_path_factory):
    """A certificate for this machine, its key, and a token."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    folder = tmp_path_factory.mktemp("secure")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    for file, content in (
        ("certificate", certificate.public_bytes(pem)),
        ("key", key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())),
        ("tokens", TOKEN.encode()),
    ):
        (folder / file).write_bytes(content)
        (folder / file).chmod(0o600)
    return {file: folder / file for file in ("certificate", "key", "tokens")}


def asked(connection, headers=(), path="/v2/models/pump/infer"):
    method, body = ("POST", BODY) if path.endswith("infer") else ("GET", None)
    connection.request(method, path, body, dict(headers))
    found = connection.getresponse()
    found.read()
    return found.status


def test_beyond_this_machine_it_refuses_without_certificate_and_tokens(router, secure):
    for more in ({}, {"tokens": secure["tokens"]}):
        with pytest.raises(errors.DeclarationError, match="reached from other machines"):
            endpoints.Endpoint(router, "pump", endpoint_access.Bind("0.0.0.0", **more))


def test_keys_and_tokens_that_others_may_read_are_refused(router, secure, tmp_path):
    for name in ("tokens", "key"):
        copy = tmp_path / name
        copy.write_bytes(secure[name].read_bytes())
        copy.chmod(0o644)
        with pytest.raises(errors.DataError, match="chmod 600"):
            endpoints.Endpoint(router, "pump", endpoint_access.Bind(**{**secure, name: copy}))


def test_with_a_certificate_and_a_token_it_answers_others(router, secure):
    grpc = pytest.importorskip("grpc")
    bind = endpoint_access.Bind("0.0.0.0", 0, 0, **secure)
    with endpoints.Endpoint(router, "pump", bind) as one:
        port = int(one.url.rpartition(":")[2])
        trusted = ssl.create_default_context(cafile=secure["certificate"])
        connection = http.client.HTTPSConnection("localhost", port, timeout=10, context=trusted)
        assert asked(connection, {"authorization": f"Bearer {TOKEN}"}) == 200
        assert asked(connection, path="/v2/health/live") == 200
        for path in ("/v2/models/pump/infer", "/metrics", "/v2"):
            assert asked(connection, path=path) == 401
            assert asked(connection, {"authorization": "Bearer " + "u" * 32}, path) == 401
        connection.close()
        plain = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            asked(plain)
        plain.close()
        kinds = messages()
        credentials = grpc.ssl_channel_credentials(secure["certificate"].read_bytes())
        with grpc.secure_channel(f"localhost:{one.grpc.rpartition(':')[2]}", credentials) as channel:
            ready = channel.unary_unary("/inference.GRPCInferenceService/ModelReady")
            request = kinds["ModelReadyRequest"](name="pump").SerializeToString()
            told = ready(request, timeout=10, metadata=(("authorization", f"Bearer {TOKEN}"),))
            assert kinds["ModelReadyResponse"].FromString(told).ready
            with pytest.raises(grpc.RpcError) as refused:
                ready(request, timeout=10)
            assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED


def test_a_port_that_is_taken_is_told_and_nothing_is_left(router):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        bind = endpoint_access.Bind(port=taken.getsockname()[1])
        with pytest.raises(errors.DataError, match="another port"):
            endpoints.Endpoint(router, "pump", bind).start()


def test_closed_it_listens_no_more(router):
    with endpoints.Endpoint(router, "pump", endpoint_access.Bind(port=0)) as one:
        host, _, port = one.url.removeprefix("http://").partition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=10)
        assert asked(connection) == 200
        connection.close()
    assert one.url == "" == one.grpc
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), timeout=10)
