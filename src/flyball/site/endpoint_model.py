"""The release that serves, as clients of an endpoint see it: its name, its inputs, and a question on its way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from flyball import errors
from flyball.site import wire
from flyball.site.endpoint_protocol import Schema, question, restored
from flyball.site.endpoint_tensors import Caps, Tensor, refuse
from flyball.site.process import RetryError
from flyball.site.router import Router

if TYPE_CHECKING:
    from concurrent.futures import Future

    from flyball.data.stage import Array, Ints

#: A question of so many bytes, while so few wait, goes into the socket at once: nobody is held up.
SMALL, FEW = 4096, 12


class Asked(NamedTuple):
    """A question as it is sent to a scorer, and what is needed to tell its answer."""

    description: bytes
    body: list[bytes]
    order: Ints | None
    rows: int
    digest: str

    @property
    def size(self) -> int:
        """Its bytes."""
        return len(self.description) + sum(map(len, self.body))


class Model:
    """One name that clients ask, whatever release stands behind it at the moment."""

    def __init__(self, name: str, router: Router, caps: Caps | None = None) -> None:
        self.name, self.router, self.caps = name, router, caps or Caps()
        self._schema: Schema | None = None

    def schema(self) -> Schema:
        """Return what the release that serves is asked with; raises RetryError when none does."""
        current = self.router.current
        if current is None:
            raise RetryError("no release serves yet: ask again")
        if self._schema is None or self._schema.digest != current.digest:
            self._schema = Schema.of(current.folder, current.digest)
        return self._schema

    def known(self, name: str, version: str | None) -> None:
        """Refuse a name or version that is not the one that serves."""
        if name != self.name or (version is not None and version != self.schema().version):
            refuse("no such model", 404)

    def described(self) -> dict[str, Any]:
        """Return the metadata of the model."""
        schema = self.schema()
        return {
            "name": self.name, "versions": [schema.version], "platform": "flyball", "inputs": schema.described(),
            "outputs": [{"name": "answer", "datatype": "FP64", "shape": [-1]}],
        }  # fmt: skip

    def written(self, given: Sequence[Tensor]) -> Asked:
        """Return the tensors of a request as a question; refuses what the release cannot be asked."""
        schema = self.schema()
        found = question(given, schema, self.caps)
        description, body = wire.write_matrix(found.matrix)
        return Asked(description, body, found.order, len(found.matrix), schema.digest)

    def at_once(self, asked: Asked) -> bool:
        """Say whether sending the question holds nobody up."""
        current = self.router.current
        return current is not None and current.waiting < FEW and asked.size <= SMALL

    def send(self, asked: Asked, wait_s: float | None = None) -> Future[wire.Frame]:
        """Send the question; raises RetryError when no scorer is there, or another release serves by now."""
        digest, future = self.router.send(asked.description, asked.body, wait_s)
        if digest != asked.digest:
            raise RetryError("another release serves now: ask again")
        return future

    def told(self, frame: wire.Frame, asked: Asked) -> Array:
        """Return the answer in the order of the request's rows."""
        answer = restored(wire.read_answer(frame), asked.order)
        if len(answer) != asked.rows:
            raise errors.DataError(f"{len(answer)} answers to {asked.rows} rows")
        return answer
