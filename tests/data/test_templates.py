"""Templates: the same whatever the order of the lines, found again by every line, and as people group real logs."""

import itertools
import os
import random
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import pytest

from flyball import errors
from flyball.data import templates

WORDS = st.sampled_from(
    ["open", "valve", "by", "ann", "at", "17", "10.0.0.1", "/var/log/x", "(3)", "a=b", "ms", "Jul"]
)
LINES = st.lists(st.lists(WORDS, min_size=1, max_size=6).map(" ".join), min_size=1, max_size=40)


@hypothesis.given(LINES, st.integers(2, 6), st.randoms(use_true_random=False))
@hypothesis.settings(max_examples=60, deadline=None)
def test_every_line_has_a_template_whatever_the_order(lines, vary, rng):
    found = templates.mine(lines, vary)
    assert all(found.match(line) in found.texts for line in lines if templates.words(line))
    assert sum(found.counts) == sum(bool(templates.words(line)) for line in lines)
    mixed = list(lines)
    rng.shuffle(mixed)
    assert templates.mine(mixed, vary) == found


@pytest.mark.parametrize(
    ("line", "cut"),
    [
        ("read 17 MB in 3.5 ms", "read <*> in <*>"),
        ("link to 10.1.2.3:8080 lost", "link to <*> lost"),
        ("host db7.north.example.com is back", "host <*> is back"),
        ("wrote /var/log/a.txt and C:\\temp\\b", "wrote <*> and <*>"),
        ("at Sun Jul 24 02:38:22 2005", "at <*>"),
        ("sent 90 bytes (1.2 KB) of 5", "sent <*> bytes of <*>"),
        ("fetch https://example.org/a?b=c now", "fetch <*> now"),
        ("user=root, tries=3", "user = root , tries = <*>"),
        ("12 34", "<*>"),
    ],
)
def test_values_are_told_by_their_form(line, cut):
    assert " ".join(templates.words(line)) == cut


def test_a_place_that_varies_becomes_a_gap_and_the_speaker_never():
    lines = [f"session of {who} closed" for who in ("ann", "bob", "cid", "dee", "u17")]
    assert templates.mine(lines).texts == ("session of <word> closed",)
    assert len(templates.mine(lines[:4]).texts) == 4
    assert (
        len(templates.mine([f"{who} has started" for who in ("ann", "bob", "cid", "dee", "eve")]).texts) == 5
    )


def test_what_was_never_said_is_told_as_such():
    found = templates.mine(["pump 3 lost prime", "door open"])
    assert found.count(["pump 9 lost prime", "door shut"]) == ({"pump <*> lost prime": 1}, ("door shut",))


def test_a_release_that_rewords_a_sentence_is_noticed():
    old, new = (
        templates.mine(["pump 3 lost prime", "door open"]),
        templates.mine(["pump 3 is dry", "door open"]),
    )
    assert templates.changes(old, new) == (("pump <*> is dry",), ("pump <*> lost prime",))


def test_names_do_not_change():
    assert (
        templates.name("pump <*> lost prime")
        == templates.name("pump <*> lost prime")
        != templates.name("pump")
    )


def test_a_log_without_lines_and_a_wrong_setting_are_refused():
    with pytest.raises(errors.DataError, match="no line to mine"):
        templates.mine(["", "  "])
    with pytest.raises(errors.DeclarationError, match="at least 2"):
        templates.mine(["a"], vary=1)


def test_a_hostile_line_costs_no_more_than_its_words():
    long = "a " * 100_000
    assert len(templates.words(long)) <= templates.WORDS
    found = templates.mine(
        [long, *(f"{'x ' * 40}{n:b}".replace("1", "y").replace("0", "z") for n in range(64))]
    )
    assert found.match("x " * 200 + "q") is None


def test_real_logs_are_grouped_as_people_grouped_them():
    """Six systems of sixteen; all of them, and Drain beside, are in the benchmark."""
    if not os.environ.get("FLYBALL_DATA"):
        pytest.skip("FLYBALL_DATA names no folder: real logs were NOT grouped")
    from benchmarks import logs

    assert Path(os.environ["FLYBALL_DATA"], "loghub_2k").is_dir()
    every = logs.read()
    assert len(every) == 16
    for system, least in {
        "Apache": 1.0,
        "HDFS": 1.0,
        "Hadoop": 0.98,
        "BGL": 0.96,
        "OpenSSH": 0.99,
        "Mac": 0.85,
    }.items():
        lines, truth = every[system]
        mixed = list(range(len(lines)))
        random.Random(0).shuffle(mixed)
        found = templates.mine(lines[i] for i in mixed)
        assert logs.accuracy(truth, [found.match(line) for line in lines]) >= least, system


def test_accuracy_counts_only_groups_that_are_right_line_by_line():
    from benchmarks import logs

    assert logs.accuracy(["a", "a", "b", "b"], [1, 1, 2, 3]) == 0.5
    for order in itertools.permutations(range(3)):
        assert logs.accuracy(["a", "b", "b"], [[0, 1, 1][i] for i in order]) in (1.0, 0.0)
