"""What stands on a proposed page, part by part, and how it is written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flyball import units
from flyball.data import stage
from flyball.data.doctor import folder

WEEK_US = int(units.WEEK)
#: A column that is missing more often is left off.
EMPTY = 0.95
#: More columns of one kind than this are named in a tuple of their own.
MANY = 8
#: What stands for a truth that nobody knows: `flyball check` names it until a person puts a column in its place.
TODO = "TODO"
#: Windows are added to last values where there are at most so many columns.
WINDOWS = 40


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

    def text(self) -> str:
        """Return the page, Python that holds the names of a stranger's columns as quoted text only."""
        kind, split = self._kind(), self._splits()
        many = [told for told in self.columns if self._unit(told) == "number"]
        parts: list[str] = [
            f'"""{_safe(self.question())}  Proposed by `flyball doctor`: read it, and mend what is wrong."""', "",
            "from flyball import System, data, features, feedback, labels, model, monitoring, serving",
            "from flyball.units import DAY, WEEK, MiB, hours, ms", "",
        ]  # fmt: skip
        if len(many) > MANY:
            parts += [f"NUMBERS = ({_listed([told['name'] for told in many], 4)}\n)", ""]
        parts += [
            "system = System(", f"    name={_slug(self.name)!r},", f"    question={self.question()!r},",
            "    data=data.Fleet(", f"        key={self.key!r},",
            f"        clock={'data.WallClock()' if self.moment else 'None'},",
            f"        tables=(\n            data.Table(\n                {self.name!r},\n                columns={{",
            *self._declared(len(many) > MANY), "                },",
            f"                time={self.moment!r},",
            *(["                unique=('at',),"] if self.events else []),
            "            ),", *self._second(), "        ),\n    ),", *self._features(len(many) > MANY),
            *self._todo(), f"    labels={self._label()},",
            "    model=model.Contest(", "        baseline=model.Prior(),",
            "        challenger=model.BoostedTrees(trees=200, leaves=15),",
            f"        choose={split[0]},", f"        test={split[1]},", f"        metrics={kind[1]!r},",
            f"        gates=(model.Beats({kind[1][0]!r}, by=0.0), model.Latency(p99=ms(50)), model.Memory(MiB(256))),",
            "    ),", f"    serving=serving.Edge(decide={kind[2]}),",
            f"    feedback=feedback.Outcomes({repr(self.full) if self.events else ''}),",
            "    monitoring=monitoring.Watch(),", ")",
        ]  # fmt: skip
        text = "\n".join(parts)
        used = [
            name
            for name in ("DAY", "WEEK", "MiB", "hours", "ms")
            if re.search(rf"\b{name}\b", text.partition("units")[2].partition("\n")[2])
        ]
        return text.replace("DAY, WEEK, MiB, hours, ms", ", ".join(used), 1) + "\n"

    def question(self) -> str:
        """Return what is asked, in words."""
        truth = self.answer
        if not self.known:
            return f"What is to be known of a row of {self.name}?"
        if self.events:
            return f"Will {truth!r} be true of this {_plainly(self.key)} within {self._horizon()[2]}?"
        return f"What is {truth!r} of this row of {self.name}?"

    def _horizon(self) -> tuple[str, str, str]:
        """Return (period, horizon, in words), as long as the history allows."""
        return ("DAY", "WEEK", "a week") if self._span() >= 5 * WEEK_US else ("hours(6)", "DAY", "a day")

    def _span(self) -> int:
        from datetime import datetime

        clock = next(one for one in self.table["clocks"] if one["column"] == self.moment)
        first, last = (datetime.fromisoformat(clock[name]) for name in ("first", "last"))
        return int((last - first).total_seconds() * 1e6)

    def _kind(self) -> tuple[str, tuple[str, ...], str]:
        """Return (the answer's kind, metrics, decision)."""
        if self.truth["kind"] == "bool" and self.moment:
            decide = "serving.Budget(alerts=5, per=DAY, lockout=DAY)"
            return "labels.Probability()", ("average_precision", "roc_auc", "log_loss"), decide
        names = tuple(self.table["classes"]) or ("no", "yes")
        kind = f"labels.Classes({names!r})"
        return kind, ("log_loss", "macro_f1", "accuracy"), "serving.Review(share=0.05)"

    def _label(self) -> str:
        full = repr(self.full)
        if self.events:
            return f"labels.FailsWithin({self._horizon()[1]}, event={full})"
        return f"labels.Given({full}, answer={self._kind()[0]})"

    def _todo(self) -> Iterator[str]:
        if not self.known:
            yield f"    # TODO: no column was found that says what is to be known.  Put the name of one for {TODO!r}"
            yield "    # here and declare it above ('bool', 'category' or a unit); until then `flyball check` names it."

    def _splits(self) -> tuple[str, str]:
        table = self.table
        if table["split"]:
            full = self._full(table["split"])
            test, val = (
                tuple(name for name in table["splits"] if folder.split(name) == wanted)
                for wanted in ("test", "val")
            )
            if test:
                chosen = f"model.Given({full!r}, test={val!r})" if val else "model.ByMachine(folds=3)"
                return chosen, f"model.Given({full!r}, test={test!r})"
        if self.events or (self.moment and not (table["machines"] or 0) >= 10):
            guard = self._horizon()[1] if self.events else "DAY"
            folds = 1 if self.events else 3
            over = f", over={guard}" if self.events else ""
            return (
                f"model.Rolling(folds={folds}, guard={guard}{over})",
                f"model.Latest(share=0.25, guard={guard})",
            )
        return "model.ByMachine(folds=3)", "model.ByMachine(share=0.25, seed=1)"

    def _unit(self, told: Mapping[str, Any]) -> str:
        kind = str(told["unit"] or told["kind"])
        return "number" if kind == "count" else kind

    def _declared(self, apart: bool) -> Iterator[str]:
        pad = " " * 20
        if apart:
            yield f'{pad}**dict.fromkeys(NUMBERS, "number"),'
        for told in self.columns:
            if not (apart and self._unit(told) == "number"):
                yield f"{pad}{told['name']!r}: {self._unit(told)!r},"
        boolean = self._kind()[0] == "labels.Probability()"
        if self.known and self.other is None:
            yield f"{pad}{self.answer!r}: {'bool' if boolean else 'category'!r},"
        if self.table["split"]:
            yield f"{pad}{self.table['split']!r}: 'category',"

    def _second(self) -> Iterator[str]:
        """Yield the table of events, where it is another one: nothing but its truth is taken from it."""
        if self.other is not None:
            yield f"            data.Table(\n                {named(self.other)!r},"
            yield f"                columns={{{self.answer!r}: 'bool'}},"
            yield f"                time={self.other['moment']!r},\n            ),"

    def _features(self, apart: bool) -> Iterator[str]:
        asked = f"features.Every({self._horizon()[0]})" if self.events else f"features.Each({self.name!r})"
        yield f"    features=features.AsOf(\n        asked={asked},\n        columns=("
        pad = " " * 12
        if apart:
            yield f"{pad}*(features.Last({self.name + '.'!r} + name) for name in NUMBERS),"
        for told in self.columns:
            if not (apart and self._unit(told) == "number"):
                yield f"{pad}features.Last({self._full(told['name'])!r}),"
        if self.events and len(self.columns) <= WINDOWS:
            for told in self.columns:
                if told["kind"] in ("number", "count") and not told.get("steady"):
                    over, full = self._horizon()[1], self._full(told["name"])
                    yield f"{pad}features.Rolling({full!r}, over={over}, by=('mean', 'max')),"
        yield "        ),\n    ),"

    def _full(self, column: Any) -> str:
        return f"{self.name}.{column}"


def _listed(names: Sequence[str], indent: int) -> str:
    """Return names as quoted text, wrapped."""
    lines, line = [], ""
    for name in names:
        if line and len(line) + len(repr(name)) + 2 > 100 - indent:
            lines.append(line)
            line = ""
        line += f"{name!r}, "
    return "".join(f"\n{' ' * indent}{one.rstrip()}" for one in (*lines, line))


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "proposed"


def _plainly(name: Any) -> str:
    return re.sub(r"[^A-Za-z0-9 ]+", " ", str(name)).strip() or "machine"


def _safe(text: str) -> str:
    """Return a text that can end no docstring."""
    return re.sub(r"[^ -~]|[\\\"]", "?", text)
