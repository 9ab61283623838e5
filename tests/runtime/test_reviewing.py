"""The queue from a run to labels: filled within its budget, answered on the command line, learned from."""

import json
import shutil

import pytest

from flyball import errors, features, feedback, labels, monitoring, part, units
from flyball.cli import main
from flyball.runtime import loop, reviewing, run
from flyball.runtime.store import Store


@pytest.fixture(scope="module")
def reviewed(daily, tmp_path_factory):
    folder = tmp_path_factory.mktemp("reviewed")
    (folder / "inbox").mkdir()
    columns = (features.Rolling("telemetry.vibration", over=units.days(3), by="mean"),)
    ask = feedback.Review(per_day=4)
    page = part.replace(
        daily.page,
        features=part.replace(daily.page.features, columns=columns),
        labels=labels.Corrected(daily.page.labels, least=1),
        feedback=feedback.Several((feedback.Reviewed(ask=ask), feedback.Outcomes(wait=units.days(3)))),
        monitoring=monitoring.Watch(retrain=(monitoring.OnLabels(at_least=10**6),)),
    )
    (folder / "page.py").write_text(
        f"from flyball import system as home\nsystem = home.read({repr(page)!r})\n"
    )
    return folder, page


def go(reviewed, daily, until):
    folder, page = reviewed
    for day in list(daily.files)[:until]:
        for file in daily.files[day]:
            shutil.copy(file, folder / "inbox" / f"{file.parent.name}-{file.name}")
    return loop.once(page, run.Bound(folder / "store", folder / "inbox"))


def typed(capsys, reviewed, *words, code=0):
    folder, _ = reviewed
    with pytest.raises(SystemExit) as ended:
        main(["review", str(folder / "page.py"), *words, "--store", str(folder / "store"), "--json"])
    out, err = capsys.readouterr()
    assert ended.value.code == code, err
    return json.loads(out) if out else err


def test_from_the_queue_to_a_label(reviewed, daily, capsys, quick):
    folder, page = reviewed
    told = go(reviewed, daily, 45)
    assert told["labels"]["suspected"] >= 0 and len(told["labels"]["noise"]) == 2 and told["assumed"] == {}
    shown = typed(capsys, reviewed)["waiting"]
    assert len(shown) == 4 and len({one["why"] for one in shown}) >= 3
    assert [one["why"] for one in shown] == sorted(
        (one["why"] for one in shown), key=lambda why: why != "suspect"
    )
    go(reviewed, daily, 45)
    assert len(typed(capsys, reviewed)["waiting"]) == 4, "the day's budget is spent"

    first, second, third, _ = shown
    assert typed(capsys, reviewed, first["id"][:6], "yes", "--who", "a.b")["taken"] == 1
    assert typed(capsys, reviewed, first["id"][:6], "yes", "--who", "a.b")["taken"] == 0, "said already"
    (folder / "said.csv").write_text(f"id,label,who\n{second['id']},no,a.b\n{third['id']},1,c.d\n")
    after = typed(capsys, reviewed, "--take", str(folder / "said.csv"))
    assert after["taken"] == 2 and after["reviewed"] == 3 and len(after["waiting"]) == 1
    kept = Store.open(folder / "store", page.data)
    assert kept.labelled(None) >= 3

    # What was said is a label from when it was said, and an outcome of what was answered.
    rows = reviewing.said(kept)
    assert rows.floats("label").tolist().count(1.0) == 2 and reviewing.digest(rows, 0) == ""
    asked = features.Moments.of([first["key"]], [first["at"]])
    tables = {name: kept.rows(name) for name in ("telemetry", "repairs")} | {"reviews": rows}
    made = page.labels.label(tables, asked, None)
    assert made.known[0] and made.value[0] == 1.0


def test_mistakes_are_told_and_nothing_is_taken(reviewed, capsys):
    folder, _ = reviewed
    shown = typed(capsys, reviewed)
    one = shown["waiting"][0]["id"]
    assert "no question 'zz'" in typed(capsys, reviewed, "zz", "yes", code=3)
    assert "say yes or no" in typed(capsys, reviewed, one, "maybe", code=3)
    assert "what is said of it" in typed(capsys, reviewed, one, code=2)
    assert "no file" in typed(capsys, reviewed, "--take", str(folder / "nowhere.csv"), code=3)
    (folder / "bad.csv").write_text(f"id,label\n{one},yes\n")
    assert "no column 'who'" in typed(capsys, reviewed, "--take", str(folder / "bad.csv"), code=3)
    (folder / "half.csv").write_text(f"id,label,who\n{one},yes,a\n{one},perhaps,b\n")
    assert "no label 'perhaps'" in typed(capsys, reviewed, "--take", str(folder / "half.csv"), code=3)
    assert typed(capsys, reviewed)["reviewed"] == shown["reviewed"]


def test_classes_are_said_by_name():
    kind = labels.Classes(("none", "ring"))
    assert reviewing._label(kind, "ring") == 1.0
    with pytest.raises(errors.DataError, match="did you mean 'ring'"):
        reviewing._label(kind, "rings")
