"""How a page that was planned is written: Python in which the names of a stranger's columns are quoted text only."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from flyball.data.doctor import plan

#: More columns of one kind than this are named in a tuple of their own.
MANY = 8
#: Windows are added to last values where there are at most so many columns.
WINDOWS = 40


def text(made: plan.Plan) -> str:
    """Return the page as it is written into a file."""
    kind, split = made.kind(), made.split_by()
    many = [told for told in made.columns if made.unit(told) == "number"]
    parts: list[str] = []
    if len(many) > MANY:
        parts += [f"NUMBERS = ({_listed([told['name'] for told in many], 4)}\n)", ""]
    parts += [
        "system = System(", f"    name={_slug(made.name)!r},", f"    question={made.question()!r},",
        "    data=data.Fleet(", f"        key={made.key!r},",
        f"        clock={'data.WallClock()' if made.moment else 'None'},",
        f"        tables=(\n            data.Table(\n                {made.name!r},\n                columns={{",
        *_declared(made, len(many) > MANY), "                },",
        f"                time={made.moment!r},",
        *(["                unique=('at',),"] if made.events else []),
        "            ),", *_second(made), "        ),\n    ),", *_features(made, len(many) > MANY),
        *_todo(made), f"    labels={made.label()},",
        "    model=model.Contest(", "        baseline=model.Prior(),",
        "        challenger=model.BoostedTrees(trees=200, leaves=15),",
        f"        choose={split[0]},", f"        test={split[1]},", f"        metrics={kind[1]!r},",
        f"        gates=(model.Beats({kind[1][0]!r}, by=0.0), model.Latency(p99=ms(50)), model.Memory(MiB(256))),",
        "    ),", f"    serving=serving.Edge(decide={kind[2]}),",
        f"    feedback=feedback.Outcomes({repr(made.full) if made.events else ''}),",
        "    monitoring=monitoring.Watch(),", ")",
    ]  # fmt: skip
    body = "\n".join(parts)
    used = [name for name in ("DAY", "WEEK", "MiB", "hours", "ms") if re.search(rf"\b{name}\b", body)]
    head = [
        f'"""{_safe(made.question())}  Proposed by `flyball doctor`: read it, and mend what is wrong."""', "",
        "from flyball import System, data, features, feedback, labels, model, monitoring, serving",
        f"from flyball.units import {', '.join(used)}", "",
    ]  # fmt: skip
    return "\n".join([*head, body]) + "\n"


def _todo(made: plan.Plan) -> Iterator[str]:
    if not made.known:
        yield f"    # TODO: no column was found that says what is to be known.  Put the name of one for {plan.TODO!r}"
        yield "    # here and declare it above ('bool', 'category' or a unit); until then `flyball check` names it."


def _declared(made: plan.Plan, apart: bool) -> Iterator[str]:
    pad = " " * 20
    if apart:
        yield f'{pad}**dict.fromkeys(NUMBERS, "number"),'
    for told in made.columns:
        if not (apart and made.unit(told) == "number"):
            yield f"{pad}{told['name']!r}: {made.unit(told)!r},"
    boolean = made.kind()[0] == "labels.Probability()"
    if made.known and made.other is None:
        yield f"{pad}{made.answer!r}: {'bool' if boolean else 'category'!r},"
    if made.table["split"]:
        yield f"{pad}{made.table['split']!r}: 'category',"


def _second(made: plan.Plan) -> Iterator[str]:
    """Yield the table of events, where it is another one: nothing but its truth is taken from it."""
    if made.other is not None:
        yield f"            data.Table(\n                {plan.named(made.other)!r},"
        yield f"                columns={{{made.answer!r}: 'bool'}},"
        yield f"                time={made.other['moment']!r},\n            ),"


def _features(made: plan.Plan, apart: bool) -> Iterator[str]:
    asked = f"features.Every({made.horizon()[0]})" if made.events else f"features.Each({made.name!r})"
    yield f"    features=features.AsOf(\n        asked={asked},\n        columns=("
    pad = " " * 12
    if apart:
        yield f"{pad}*(features.Last({made.name + '.'!r} + name) for name in NUMBERS),"
    for told in made.columns:
        if not (apart and made.unit(told) == "number"):
            yield f"{pad}features.Last({made.column(told['name'])!r}),"
    if made.events and len(made.columns) <= WINDOWS:
        for told in made.columns:
            if told["kind"] in ("number", "count") and not told.get("steady"):
                over, full = made.horizon()[1], made.column(told["name"])
                yield f"{pad}features.Rolling({full!r}, over={over}, by=('mean', 'max')),"
    yield "        ),\n    ),"


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


def _safe(text: str) -> str:
    """Return a text that can end no docstring."""
    return re.sub(r"[^ -~]|[\\\"]", "?", text)
