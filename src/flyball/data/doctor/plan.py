"""What stands on a proposed page, part by part, and the decisions that led to it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from flyball import units
from flyball.data import stage
from flyball.data.doctor import folder

WEEK_US = int(units.WEEK)
#: A column that is missing more often is left off.
EMPTY = 0.95
#: What stands for a truth that nobody knows: `flyball check` names it until a person puts a column in its place.
TODO = "TODO"


def key(table: Mapping[str, Any]) -> str | None:
    """Return the column that names what is asked about: the machine, else what numbers the rows, else the moment."""
    named: str | None = table["key"] or next(iter(table["identifiers"]), None) or table["moment"]
    return named


def named(table: Mapping[str, Any]) -> str:
    """Return what a table is called on a page."""
    return re.sub(r"[^A-Za-z0-9_]+", "_", table["name"]).strip("_") or "rows"


def tells(truth: Mapping[str, Any]) -> bool:
    """Say whether a column tells of events that befall a machine: yes or no, and called like one."""
    return truth["kind"] == "bool" and bool(re.search(r"fail|broken|down", str(truth["name"]), re.I))


class Plan:
    """What stands on the page, part by part, with the decisions that led to it."""

    def __init__(self, table: Mapping[str, Any], events: Mapping[str, Any] | None = None) -> None:
        """Decide on one table, or on one whose machines' `events` another table tells."""
        self.table, self.other, self.decisions, self.missing = table, events, list[str](), list[str]()
        self.name = named(table)
        self.key, self.moment = key(table), table["moment"]
        asked = events or table
        self.known = asked["truth"] is not None
        self.answer = str(asked["truth"]) if self.known else TODO
        self.full = f"{named(asked)}.{self.answer}"
        self.truth = next(
            (told for told in asked["columns"] if told["name"] == asked["truth"]), {"kind": "bool"}
        )
        self.events = self._events()
        self.columns = list(self._columns())
        self._tell()

    def _events(self) -> bool:
        """Say whether rows with a truth of "yes" are events of machines that go on sending rows."""
        table = self.table
        if self.other is not None:
            return True
        many = table["machines"] and table["machines"] < table["rows"] / 3
        clock = next((one for one in table["clocks"] if one["column"] == self.moment), None)
        return self.known and bool(many and clock and table["key"] and tells(self.truth))

    def _columns(self) -> Iterator[Mapping[str, Any]]:
        table = self.table
        leaking = {leak["column"]: leak["why"] for leak in (*table["leaks"], *table["after"])}
        left: dict[str, list[str]] = {}
        for told in table["columns"]:
            name = told["name"]
            if name in (self.key, self.moment, table["truth"], table["split"]):
                continue
            why = self._left(told, leaking)
            if why:
                left.setdefault(why, []).append(name)
            else:
                yield told
        for why, names in left.items():
            shown = ", ".join(map(repr, names[:5])) + (
                f" and {len(names) - 5} more" if len(names) > 5 else ""
            )
            self.decisions.append(f"left off, {why}: {shown}")

    def _left(self, told: Mapping[str, Any], leaking: Mapping[str, str]) -> str:
        name, kind = told["name"], told["kind"]
        if name in self.table["truths"]:
            return "as it is called like a truth too, and may be known as late"
        if name in leaking:
            return f"as {leaking[name]}"
        if name in stage.RESERVED:
            return "as its name is reserved"
        if kind in ("time", "text", "nested", "bytes", "image", "nothing"):
            return {"nothing": "as it is empty"}.get(
                kind, f"as it is {'an image' if kind == 'image' else kind}"
            )
        if told["constant"]:
            return "as it is constant"
        if told["missing"] > EMPTY:
            return "as it is missing nearly everywhere"
        if name in self.table["same"]:
            return "as it repeats another column"
        return "as it only numbers the rows" if name in self.table["identifiers"] else ""

    def _tell(self) -> None:
        table = self.table
        if self.known:
            why = (self.other or table)["truth_why"]
            self.decisions.insert(0, f"what is to be known is {self.full!r}: {why}")
        else:
            self.decisions.insert(0, f"what is to be known is not known: {table['truth_why']}")
            self.missing.append(f"what is to be known: put the name of a column for {TODO!r}, and declare it")
        if table["key"]:
            self.decisions.insert(1, f"the machine is {self.key!r}: {table['key_why']}")
        else:
            self.decisions.insert(1, f"every row stands alone, named by {self.key!r}: {table['key_why']}")
            self.missing.append(
                "which machine, chamber or lot a row is from: rows of one were not kept together"
            )
            shared = next((one["repeated"] for one in table["clocks"] if one["column"] == self.key), 0)
            if shared:
                self.decisions.insert(
                    2, f"{shared} rows share {self.key!r} with another: the last of each is asked about"
                )
        clock = next((one for one in table["clocks"] if one["column"] == self.moment), None)
        if clock:
            zone = (
                "no zone is named, it is read as UTC" if clock["zone"] == "none" else f"zone {clock['zone']}"
            )
            self.decisions.insert(1, f"time is {self.moment!r}: {clock['format']}, {zone}")
            if clock["zone"] == "none":
                self.missing.append(f"the time zone of {self.moment!r}: a binding's zone= says it")
            self.missing += self._late()
        guessed = [told for told in self.columns if told["unit"]]
        self.decisions += [
            f"{told['name']!r} is {told['sure']} in {told['unit']}: {told['why']}" for told in guessed[:12]
        ]
        bare = [told for told in self.columns if told["kind"] == "number" and not told["unit"]]
        if bare:
            self.missing.append(f"the units of {len(bare)} columns: nothing tells them")
        if table["sampled"]:
            self.decisions.append(f"judged on a sample: {'; '.join(table['sampled'])}")

    def _late(self) -> list[str]:
        """Return what is to be said of how late rows arrive: nothing where the files tell when each was seen."""
        if any(told["name"] == "seen" for told in self.table["columns"]):
            return []
        later = [pair for pair in self.table["clock_pairs"] if pair["known_later"]]
        if later:
            name, lag = later[0]["columns"][1], later[0]["median"]
            return [
                f"how late a row arrives: {name!r} comes {lag} later; if it is when a row was seen, call it 'seen'"
            ]
        return ["how late a row arrives: arrives= is taken to be nothing"]

    def question(self) -> str:
        """Return what is asked, in words."""
        truth = self.answer
        if not self.known:
            return f"What is to be known of a row of {self.name}?"
        if self.events:
            return f"Will {truth!r} be true of this {_plainly(self.key)} within {self.horizon()[2]}?"
        return f"What is {truth!r} of this row of {self.name}?"

    def horizon(self) -> tuple[str, str, str]:
        """Return (period, horizon, in words), as long as the history allows."""
        return ("DAY", "WEEK", "a week") if self._span() >= 5 * WEEK_US else ("hours(6)", "DAY", "a day")

    def _span(self) -> int:
        from datetime import datetime

        clock = next(one for one in self.table["clocks"] if one["column"] == self.moment)
        first, last = (datetime.fromisoformat(clock[name]) for name in ("first", "last"))
        return int((last - first).total_seconds() * 1e6)

    def kind(self) -> tuple[str, tuple[str, ...], str]:
        """Return (the answer's kind, metrics, decision)."""
        if self.truth["kind"] == "bool" and self.moment:
            decide = "serving.Budget(alerts=5, per=DAY, lockout=DAY)"
            return "labels.Probability()", ("average_precision", "roc_auc", "log_loss"), decide
        names = tuple(self.table["classes"]) or ("no", "yes")
        kind = f"labels.Classes({names!r})"
        return kind, ("log_loss", "macro_f1", "accuracy"), "serving.Review(share=0.05)"

    def label(self) -> str:
        """Return the label as it is written."""
        full = repr(self.full)
        if self.events:
            return f"labels.FailsWithin({self.horizon()[1]}, event={full})"
        return f"labels.Given({full}, answer={self.kind()[0]})"

    def split_by(self) -> tuple[str, str]:
        """Return the splits to choose and to test by: given ones, else by time for events, else by machine."""
        table = self.table
        if table["split"]:
            full = self.column(table["split"])
            test, val = (
                tuple(name for name in table["splits"] if folder.split(name) == wanted)
                for wanted in ("test", "val")
            )
            if test:
                chosen = f"model.Given({full!r}, test={val!r})" if val else "model.ByMachine(folds=3)"
                return chosen, f"model.Given({full!r}, test={test!r})"
        if self.events or (self.moment and not (table["machines"] or 0) >= 10):
            guard = self.horizon()[1] if self.events else "DAY"
            folds = 1 if self.events else 3
            over = f", over={guard}" if self.events else ""
            return (
                f"model.Rolling(folds={folds}, guard={guard}{over})",
                f"model.Latest(share=0.25, guard={guard})",
            )
        return "model.ByMachine(folds=3)", "model.ByMachine(share=0.25, seed=1)"

    def unit(self, told: Mapping[str, Any]) -> str:
        """Return the unit or kind that a column is declared with."""
        kind = str(told["unit"] or told["kind"])
        return "number" if kind == "count" else kind

    def column(self, column: Any) -> str:
        """Return the full name of a column of the table."""
        return f"{self.name}.{column}"


def _plainly(name: Any) -> str:
    return re.sub(r"[^A-Za-z0-9 ]+", " ", str(name)).strip() or "machine"
