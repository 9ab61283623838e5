"""One page's place on a machine: install, check, switch, fall back; each step survives a cut and is done once.

```
         install into the free slot, check, switch
release ──────────────────────────────────────────▶ release
   │  three unexpected exits, a failed start, a damaged slot, a withdrawal
   ▼
previous release ──▶ baseline rule ──▶ nothing (told as an alarm)
```

A release that was fallen from is not tried again until an order with a new number names it: no loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from flyball import durable, errors, seals
from flyball.serving.trust.order import Order, Policy
from flyball.site import slots as slots_room
from flyball.site.wanted import Standing, Wanted, wanted

#: So often a release may be started without having proved itself before it is given up.
TRIES = 3
#: After so long without an unexpected end a release has proved itself, in microseconds.
PROVED = 60_000_000

#: Called with (kind, record): what is told goes to the spool and the audit.
Tell = Callable[[str, Mapping[str, Any]], None]


class Host(Protocol):
    """What answers: a router over scorer processes, or a simulated one."""

    def switch(self, folder: Path, digest: str) -> Any:
        """Start a release, check it on its golden vectors, and let it answer; raise and keep the old one otherwise."""

    def shadow(self, folder: Path | None, digest: str) -> None:
        """Let a release answer beside the one that serves, or none."""

    def failed(self) -> str:
        """Return why what serves was given up since the last call (repeated exits, hanging, memory), or ""."""


class Seat:
    """The state machine of one page on one machine; `act` does what is due and returns when nothing is left to do."""

    def __init__(
        self, folder: Path, page: str, machine: str, kind: str, schema: str, host: Host, tell: Tell
    ) -> None:
        self.page, self.machine, self.kind = page, machine, kind
        self.host, self.tell = host, tell
        self.slots = slots_room.Slots(folder)
        self._file = folder / "state.json"
        self._state = self._read()
        if schema:
            self._state["schema"] = schema
        #: What answers now: a slot, "baseline", or "" for nothing.
        self.answering = ""
        self._proved_at = 0
        self._told: set[str] = set()

    # What is known

    @property
    def serving(self) -> Order | None:
        """The order of the release that serves, or None while the baseline or nothing does."""
        return self.slots.order(self.answering) if self.answering in slots_room.TURNS else None

    @property
    def shadow(self) -> Order | None:
        """The order of the release that shadows."""
        return self.slots.order(slots_room.SHADOW)

    def standing(self) -> Standing:
        """Return where this machine stands, for the choice of what to run."""
        return Standing(
            self.machine, self.kind, self.page, self._state["schema"], self.serving, self._broken()
        )

    def told(self) -> dict[str, Any]:
        """Return what runs here, for a report."""
        serving, shadow = self.serving, self.shadow
        return {
            "page": self.page, "answering": self.answering,
            "release": serving.release if serving else "", "version": serving.version if serving else 0,
            "number": serving.number if serving else 0, "stage": serving.stage if serving else "",
            "shadow": shadow.release if shadow else "", "refused": dict(self._state["refused"]),
        }  # fmt: skip

    # What is done

    def boot(self, now: int) -> None:
        """Start what served before, or the next best thing that is whole."""
        self._proved_at = now + PROVED
        for slot in dict.fromkeys((self._state["serving"], *self._by_order())):
            if slot in slots_room.TURNS and self.slots.order(slot) is not None and self._start(slot):
                break
        else:
            self._baseline("no release that is whole is left")
        if self.shadow is not None:
            self._shadow(slots_room.SHADOW)

    def act(
        self, offered: tuple[tuple[Order, bool], ...], policy: Policy | None, now: int, open_at: bool,
        fetch: Callable[[Order, bool, Path], None], size: Callable[[Order, bool], int],
    ) -> Wanted:  # fmt: skip
        """Do what the orders ask: install and switch, or fall back from what was withdrawn."""
        self.watch(now)
        self._forgive(offered)
        choice = wanted(offered, self.standing(), policy, now, open_at)
        for refusal in choice.refusals:
            self._alarm(f"{type(refusal).__name__}: {refusal}")
        by_site = dict(offered)
        if not choice.keep and choice.serving is not None:
            self._bring(choice.serving, by_site[choice.serving], now, fetch, size)
        elif not choice.keep and self.answering in slots_room.TURNS:
            self._fall(
                f"version {self.serving.version if self.serving else 0} was withdrawn", now, broken=False
            )
        self._beside(choice.shadow, by_site, fetch, size)
        return choice

    def watch(self, now: int) -> None:
        """Fall back from a release that was given up by its host; count one that lasts as proved."""
        if why := self.host.failed():
            if self.answering in slots_room.TURNS:
                self._fall(why, now)
            else:
                self._alarm(f"the baseline was given up: {why}")
        elif self._state["tries"] and now >= self._proved_at:
            self._save(tries={})

    def _bring(
        self, order: Order, by_site: bool, now: int, fetch: Callable[[Order, bool, Path], None],
        size: Callable[[Order, bool], int],
    ) -> None:  # fmt: skip
        """Install an order into the free slot and let it serve; what serves goes on where that fails."""
        slot = self.slots.other(self.answering)
        standing = [name for name in slots_room.TURNS if self.slots.holds(name, order.release)]
        try:
            if standing:
                slot = standing[0]
            else:
                self.slots.room(size(order, by_site))
                self.slots.fill(slot, order, lambda place: fetch(order, by_site, place))
            self.slots.keep_baseline(slot)
        except (errors.StoreError, errors.RolloutError) as error:
            self._alarm(
                str(error)
            )  # a full disk, a link that went down in the middle: tried again at the next round
            return
        except errors.TrustError as error:
            self._untrusted(order, error)
            return
        if not self._start(slot):
            return
        self._proved_at = now + PROVED
        self.tell("audit", {
            "act": "switched", "page": self.page, "release": order.release, "version": order.version,
            "number": order.number, "stage": order.stage, "why": order.why,
        })  # fmt: skip

    def _beside(
        self, order: Order | None, by_site: Mapping[Order, bool], fetch: Callable[[Order, bool, Path], None],
        size: Callable[[Order, bool], int],
    ) -> None:  # fmt: skip
        standing = self.shadow
        if order is None:
            if standing is not None:
                self.host.shadow(None, "")
                self._clear(slots_room.SHADOW)
            return
        if standing is not None and standing.release == order.release:
            return
        try:
            self.slots.room(size(order, by_site[order]))
            self.slots.fill(slots_room.SHADOW, order, lambda place: fetch(order, by_site[order], place))
        except (errors.StoreError, errors.RolloutError) as error:
            self._alarm(str(error))
        except errors.TrustError as error:
            self._untrusted(order, error)
        else:
            self._shadow(slots_room.SHADOW)

    def _shadow(self, slot: str) -> None:
        order = self.slots.order(slot)
        try:
            order = self.slots.check(slot)
            self.host.shadow(self.slots.release(slot), order.release)
        except errors.FlyballError as error:
            self.host.shadow(None, "")
            self._clear(slot)
            if order is not None:
                self._refuse(order, f"{type(error).__name__}: {error}")

    def _clear(self, slot: str) -> None:
        try:
            self.slots.empty(slot)
        except errors.StoreError as error:
            self._alarm(str(error))

    def _start(self, slot: str) -> bool:
        """Start the release of a slot and let it answer; False, and the release refused, where it cannot."""
        order = self.slots.order(slot)
        if order is None or order.release in self._broken():
            return False
        tries = {**self._state["tries"], order.release: self._state["tries"].get(order.release, 0) + 1}
        if tries[order.release] > TRIES:
            self._refuse(order, f"started {TRIES} times and never lasted")
            return False
        self._save(tries=tries)  # before the start: a start that takes the machine down must be counted too
        try:
            self.slots.check(slot)
            self.host.switch(self.slots.release(slot), order.release)
        except errors.FlyballError as error:
            self._refuse(order, f"{type(error).__name__}: {error}")
            return False
        self.answering = slot
        self._save(serving=slot, schema=self._state["schema"] or order.schema)
        return True

    def _fall(self, why: str, now: int, broken: bool = True) -> None:
        """Go back to the previous release, or else to the baseline."""
        order, slot = self.serving, self.answering
        if order is not None:
            if broken:
                self._refuse(order, why)
            else:
                self._save(left={**self._state["left"], order.release: order.number})
        other = self.slots.other(slot)
        self._proved_at = now + PROVED
        if self.slots.order(other) is not None and self._start(other):
            back = self.serving
            self.tell(
                "audit",
                {"act": "fell back", "page": self.page, "to": back.release if back else "", "why": why},
            )
            return
        self._baseline(why)

    def _baseline(self, why: str) -> None:
        found = self.slots.baseline()
        self.answering = ""
        if found is not None:
            try:
                self.host.switch(*found)
                self.answering = slots_room.BASELINE
            except errors.FlyballError as error:
                why = f"{why}; the baseline cannot answer either: {error}"
        self._save(serving=self.answering)
        if why and (found is not None or self._state["refused"]):
            self.tell(
                "audit",
                {"act": "fell back", "page": self.page, "to": self.answering or "nothing", "why": why},
            )
            self._alarm(f"{self.answering or 'nothing'} answers: {why}")

    # What is kept

    def _broken(self) -> dict[str, str]:
        """Return the releases that must not serve here: broken ones, and those that were left at a withdrawal."""
        return dict(self._state["refused"]) | {release: "withdrawn" for release in self._state["left"]}

    def _refuse(self, order: Order, why: str) -> None:
        refused = {**self._state["refused"], order.release: why}
        self._save(refused=refused, numbers={**self._state["numbers"], order.release: order.number})
        self.tell("audit", {
            "act": "refused", "page": self.page, "release": order.release, "version": order.version, "why": why,
        })  # fmt: skip
        self._alarm(f"version {order.version} refused: {why}")

    def _untrusted(self, order: Order, error: errors.TrustError) -> None:
        """Tell what is wrong with a release that came; one that a mirror damaged may come whole the next time."""
        what = f"version {order.version} refused: {type(error).__name__}: {error}"
        if isinstance(error, errors.FormatError):
            self._refuse(
                order, f"{type(error).__name__}: {error}"
            )  # what was signed is itself not to be taken
        else:
            self._alarm(what)

    def _forgive(self, offered: tuple[tuple[Order, bool], ...]) -> None:
        """Try a refused release again once somebody orders it anew, under a higher number."""
        refused, left = dict(self._state["refused"]), dict(self._state["left"])
        for order, _ in offered:
            if order.page != self.page or order.stage == "withdrawn":
                continue
            if order.release in refused and order.number > self._state["numbers"].get(order.release, 0):
                del refused[order.release]
            if order.release in left and order.number > left[order.release]:
                del left[order.release]
        if len(refused) < len(self._state["refused"]) or len(left) < len(self._state["left"]):
            tries = {name: n for name, n in self._state["tries"].items() if name in refused}
            self._save(refused=refused, left=left, tries=tries)

    def _alarm(self, what: str) -> None:
        if what not in self._told:
            self._told.add(what)
            self.tell("alarm", {"page": self.page, "machine": self.machine, "what": what})

    def _by_order(self) -> list[str]:
        """Return the slots that hold something, the newest order first: the way back when notes are lost."""
        held = [(order.number, slot) for slot in slots_room.TURNS if (order := self.slots.order(slot))]
        return [slot for _, slot in sorted(held, reverse=True)]

    def _read(self) -> dict[str, Any]:
        fresh: dict[str, Any] = {
            "serving": "", "schema": "", "refused": {}, "numbers": {}, "left": {}, "tries": {},
        }  # fmt: skip
        try:
            told = seals.unsealed(self._file.read_bytes())
        except FileNotFoundError:
            return fresh
        except (OSError, ValueError):
            self.tell(
                "alarm",
                {
                    "page": self.page,
                    "machine": self.machine,
                    "what": f"{self._file}: damaged: taken from the slots",
                },
            )
            return fresh
        return fresh | {name: told[name] for name in fresh if type(told.get(name)) is type(fresh[name])}

    def _save(self, **changed: Any) -> None:
        """Write down what changed; a disk that refuses stops nobody from answering."""
        self._state = {**self._state, **changed}
        try:
            durable.write(self._file, seals.sealed(self._state))
        except errors.StoreError as error:
            self._alarm(str(error))
