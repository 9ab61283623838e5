import http.server
import threading

import pytest

from flyball import errors
from flyball.serving.trust import bundle, mirror


@pytest.fixture
def served(rig):
    """The repository behind HTTP; yields (address, handler class)."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        token = None

        def __init__(self, *args, **kwargs):
            super().__init__(*args, directory=str(rig.repository.folder), **kwargs)

        def do_GET(self):
            if self.token and self.headers["Authorization"] != f"Bearer {self.token}":
                self.send_error(401)
                return
            super().do_GET()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", Handler
    server.shutdown()
    thread.join()
    server.server_close()


def test_folder_server_and_bundle_give_the_same_set(rig, served, packed, ordered, tmp_path):
    rig.repository.offer(ordered(), packed[0], rig.online, rig.now)
    bundle.inward(rig.repository.folder, tmp_path / "in.tar")
    found = [b"".join(mirror.of(place).read("metadata/timestamp.json"))
             for place in (str(rig.repository.folder), served[0], str(tmp_path / "in.tar"))]  # fmt: skip
    assert len(set(found)) == 1
    assert rig.update(mirror.of(str(tmp_path / "in.tar")))
    assert not rig.update(mirror.of(served[0]))


def test_a_server_asks_for_its_token(rig, served):
    served[1].token = "secret"
    with pytest.raises(errors.UnreachableError, match="401"):
        rig.update(mirror.Server(served[0]))
    assert rig.update(mirror.Server(served[0], token="secret"))


def test_nobody_at_the_address(rig):
    with pytest.raises(errors.UnreachableError):
        rig.update(mirror.Server("http://127.0.0.1:9"))


def test_a_damaged_bundle_is_told(rig, tmp_path):
    (tmp_path / "in.tar").write_bytes(b"no tar at all" * 100)
    with pytest.raises(errors.TamperedError, match="damaged bundle"):
        rig.update(mirror.Bundle(tmp_path / "in.tar"))


def test_no_path_leads_out_of_a_folder(rig, tmp_path):
    (tmp_path / "secret").write_text("x")
    with pytest.raises(FileNotFoundError):
        list(mirror.Folder(rig.repository.folder).read("../../secret"))


def test_bytes_that_drip_are_let_go_of():
    clock = iter(range(0, 10_000, 2))
    drip = mirror.steady(iter([b"x"] * 1000), "a", clock=lambda: next(clock))
    with pytest.raises(errors.SlowRetrievalError, match="slow retrieval"):
        list(drip)
    fast = mirror.steady(iter([b"x" * 5000] * 10), "a", clock=iter(range(0, 10_000, 2)).__next__)
    assert len(b"".join(fast)) == 50_000
