"""The order of the ring's loads and stores: the thread sanitizer would tell if one of them were forgotten."""

import pathlib
import shutil
import subprocess

import pytest

HERE = pathlib.Path(__file__).parent
INCLUDE = HERE.parents[1] / "native" / "include"
ORDERS = {
    "the head as the writer publishes it": (
        "writer.hpp",
        "control_->head.store(head_, std::memory_order_release)",
        "control_->head.store(head_, std::memory_order_relaxed)",
    ),
    "the cursor as the reader gives a span back": (
        "reader.hpp",
        "slot_->cursor.store(cursor_, std::memory_order_release)",
        "slot_->cursor.store(cursor_, std::memory_order_relaxed)",
    ),
}


@pytest.mark.parametrize("weakened", ORDERS)
def test_a_weakened_order_is_told(build, tmp_path, weakened):
    file, strong, weak = ORDERS[weakened]
    shutil.copytree(INCLUDE, tmp_path / "include")
    header = tmp_path / "include" / "flyball" / "ring" / file
    text = header.read_text("utf-8")
    assert text.count(strong) == 1
    header.write_text(text.replace(strong, weak), "utf-8")
    program = build(HERE / "native" / "ring.cpp", sanitize="thread", include=tmp_path / "include")
    run = subprocess.run([program], capture_output=True, text=True)
    assert run.returncode != 0
    assert "WARNING: ThreadSanitizer: data race" in run.stderr
