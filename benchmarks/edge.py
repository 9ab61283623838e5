"""Nets and trees at the edge: one row a question, one thread, each runtime in a fresh process pinned to one core.

Every runtime is given the same rows, ready as tensors, and its answers are compared with PyTorch's (LightGBM's)
before its times count.  Flyball's are taken from a release, verified and loaded by the scorer, so that its memory is
that of the process that answers at a site.  Two profiles are gated alone: `small` (75 MiB resident, model and all) and
`fast` (within 1.05 of the fastest correct peer; on the CNN four times onnxruntime's float32).

Nets are trained for a minute on rows with a pattern in noise, so that accuracy can be lost; ResNet-18 is not trained,
its figures are of speed, memory and agreement only.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import sidebyside
from benchmarks.edges import nets

LIBRARIES = ("numpy", "torch", "onnxruntime", "openvino", "lightgbm")
#: Fresh processes of each runtime, taken in turns; the median of each figure is told.
ROUNDS = 3
#: A correct runtime: float32 within this of PyTorch, fewer bits with no more than this share of accuracy lost, or, of
#: a net that was not trained, within this of its probabilities.
SAME, LOST, NEAR = 1e-4, 0.01, 0.05
SMALL_MIB, FAST, OVER_ONNXRUNTIME, STEADY = 75.0, 1.05, 1 / 4, 1.5
#: A Python with lleaves (which needs llvmlite below 0.44) and numpy, where there is one.
LLEAVES = os.environ.get("FLYBALL_LLEAVES_PYTHON", "")
ALONE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
PEERS = ("torch:eager", "torch:compiled", "onnxruntime:fp32", "onnxruntime:int8", "openvino:fp32", "openvino:bf16",
         "openvino:int8")  # fmt: skip
Told = dict[str, Any]


def run() -> dict[str, Any]:
    """Measure every net and the trees; return ours beside each peer, per profile."""
    rows: list[Told] = []
    with tempfile.TemporaryDirectory() as place:
        for net in nets.NETS:
            rows += _net(net, Path(place) / net.name)
        rows += _trees(Path(place) / "trees")
    return sidebyside.result("edge", LIBRARIES, rows)


def _net(net: nets.Net, folder: Path) -> Iterator[Told]:
    """Yield the rows of one net: what it is, each profile, and ours beside each peer."""
    kind, ours = _prepared(net, folder)
    recurrent = net.family == "recurrent"
    runtimes = [one for one in PEERS if not (recurrent and one.endswith("int8"))]
    runtimes += [f"ours:{name}" for name in ours]
    told = _measured(folder, runtimes)
    truth = np.load(folder / "torch:eager.npy")
    right = float((truth.argmax(axis=1) == kind).mean()) if net.epochs else None
    for runtime, one in told.items():
        one |= _agreement(runtime, np.load(folder / f"{runtime}.npy"), truth, kind, right)
    if right is not None:
        low, high = _wilson(right, len(kind))
        yield sidebyside.row(
            f"{net.told}: accuracy in float32 [{low:.3f}, {high:.3f}]", right, None, "", "", None
        )
    yield from _profiles(net.told, told, net.name == "cnn")
    if recurrent:
        yield _absent(f"{net.told}: int8", "onnxruntime, openvino: no static form of a recurrent layer")


def _prepared(net: nets.Net, folder: Path) -> tuple[np.ndarray, list[str]]:
    """Write what the runtimes need into the folder; return the classes of its rows and the names of our variants."""
    import torch

    from flyball.model import int8, onnx, onnx_nets, openvino, pruned, tensors

    folder.mkdir()
    learned, known = nets.rows(net, 2000 if net.epochs else 32, 0)
    x, kind = nets.rows(net, 2000 if net.epochs else 16, 1)
    module = nets.train(net, nets.build(net.name), learned, known)
    (folder / "name").write_text(net.name)
    np.savez(folder / "net.npz", **{name: one.numpy() for name, one in module.state_dict().items()})
    np.save(folder / "x.npy", x)
    with torch.inference_mode():
        graph = onnx_nets.export(module, [net.shape], "quantity")  # ends in its own softmax
    (folder / "fp32.onnx").write_bytes(graph)
    if len(net.shape) == 3:
        maker: Any = tensors.Image("picture", net.shape[1:], tuple((n,) for n in range(net.shape[0])))
    else:
        maker = tensors.Sequence("window", (0.0,) * net.shape[1], (1.0,) * net.shape[1], 6.0)
    settings = {
        "family": net.family, "kind": "classes", "classes": [f"class {n}" for n in range(nets.CLASSES)],
        "inputs": [maker.settings()],
    }  # fmt: skip
    made: dict[str, Any] = {"float32": onnx.OnnxPredictor(graph, settings)}
    for bits in ("f32", "bf16"):
        made[f"openvino {bits}"] = openvino.OpenVinoPredictor(graph, {**settings, "precision": bits})
    if net.family != "recurrent":
        eight = int8.quantised(graph, [learned[:1000]])
        (folder / "int8.onnx").write_bytes(eight)
        made["int8"] = onnx.OnnxPredictor(eight, settings)
        made["openvino int8"] = openvino.OpenVinoPredictor(eight, settings)
        narrow = pruned.narrower(graph, 0.5, [learned[:1000]]) if net.epochs else None
        if narrow is not None:
            eight = int8.quantised(narrow, [learned[:1000]])
            made["pruned int8"] = onnx.OnnxPredictor(eight, settings)
            made["openvino pruned int8"] = openvino.OpenVinoPredictor(eight, settings)
    for name, predictor in made.items():
        _release(folder, name, predictor)
    return kind, list(made)


def _release(folder: Path, name: str, predictor: Any) -> None:
    from flyball.serving import release

    place = folder / "ours" / name
    release.write_packed(place / "model", predictor.pack())
    (folder / "ours" / f"{name}.digest").write_text(release.sealed(place))


def _measured(folder: Path, runtimes: list[str]) -> dict[str, Told]:
    """Return the median figures of every runtime over some fresh processes, in turns."""
    taken: dict[str, list[Told]] = {runtime: [] for runtime in runtimes}
    for _ in range(ROUNDS):
        for runtime in runtimes:
            taken[runtime].append(_fresh(runtime, folder))
    names = ("p50_us", "p99_us", "resident_bytes", "cpu_us", "cold_s")
    told = {}
    for runtime, each in taken.items():
        told[runtime] = {name: statistics.median(one[name] for one in each) for name in names}
        # Other work takes the core now and then; the quietest process tells most of the runtime itself.
        told[runtime]["steady"] = min(one["p99_us"] / one["p50_us"] for one in each)
    return told


def _fresh(runtime: str, folder: Path) -> Told:
    python = LLEAVES if runtime == "lleaves" else sys.executable
    core = max(os.sched_getaffinity(0))
    home = str(Path(__file__).resolve().parents[1])
    begun = time.monotonic()
    done = subprocess.run(
        [python, "-W", "ignore", "-m", "benchmarks.edges.process", runtime, str(folder)],
        env={**os.environ, **ALONE, "PYTHONPATH": home}, capture_output=True, text=True, check=False,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{runtime}: {done.stderr[-2000:]}")
    told: Told = json.loads(done.stdout.splitlines()[-1])
    return {**told, "cold_s": told["first_at_s"] - begun}


def _agreement(
    runtime: str, answers: np.ndarray, truth: np.ndarray, kind: np.ndarray, right: float | None
) -> Told:
    """Return how far a runtime's answers lie from PyTorch's, and whether that is correct."""
    apart = float(np.abs(answers - truth).max())
    exact = runtime.endswith(("eager", "compiled", "fp32", "float32", "f32"))
    if exact or right is None:
        return {"apart": apart, "lost": 0.0, "correct": apart <= (SAME if exact else NEAR)}
    lost = right - float((answers.argmax(axis=1) == kind).mean())
    return {"apart": apart, "lost": lost, "correct": lost <= LOST}


def _profiles(told: str, measured: Mapping[str, Told], beside_onnxruntime: bool) -> Iterator[Told]:
    """Yield the `fast` and the `small` profile of one model, each by the variant that is correct and the fastest."""
    ours = {name[5:]: one for name, one in measured.items() if name.startswith("ours:") and one["correct"]}
    peers = {name.replace(":", " "): one for name, one in measured.items() if not name.startswith("ours:")}
    right = {name: one for name, one in peers.items() if one["correct"]}
    yield from _fast(told, ours, peers, right, beside_onnxruntime)
    yield from _small(told, ours, right)
    for name, one in measured.items():
        if name.startswith("ours:"):
            lost = "" if one["correct"] else f", not correct: {one['lost']:.4f} of accuracy lost"
            case = f"{told}: ours, {name[5:]}, p50, {one['resident_bytes'] / 2**20:.0f} MiB{lost}"
            yield sidebyside.row(case, one["p50_us"], None, "", "us", None)


def _fast(
    told: str, ours: Mapping[str, Told], peers: Mapping[str, Told], right: Mapping[str, Told], beside: bool
) -> Iterator[Told]:
    """Yield our fastest beside each peer, and the fastest of the same graph, nothing pruned, beside the fastest."""
    fast, rival = _least(ours, "p50_us"), _least(right, "p50_us")
    whole = _least({name: one for name, one in ours.items() if "pruned" not in name}, "p50_us")
    for name in dict.fromkeys((whole, fast)):
        case = f"{told}, fast ({name}): p50 beside the fastest correct peer"
        yield sidebyside.row(case, ours[name]["p50_us"], right[rival]["p50_us"], rival, "us", FAST)
    title, p50 = f"{told}, fast ({fast})", ours[fast]["p50_us"]
    for name, peer in peers.items():
        said = name if peer["correct"] else f"{name}, not correct: {peer['lost']:.4f} of accuracy lost"
        goal = OVER_ONNXRUNTIME if beside and name == "onnxruntime fp32" else None
        yield sidebyside.row(f"{title}: p50", p50, peer["p50_us"], said, "us", goal)
    case = f"{title}: p99 over p50, in the quietest of {ROUNDS} processes"
    yield sidebyside.row(case, ours[fast]["steady"], right[rival]["steady"], rival, "", None) | _goal(
        ours[fast]["steady"], STEADY
    )
    yield sidebyside.row(f"{title}: largest difference to float32", ours[fast]["apart"], None, "", "", None)
    yield sidebyside.row(f"{title}: accuracy lost", ours[fast]["lost"], None, "", "", None)


def _small(told: str, ours: Mapping[str, Told], right: Mapping[str, Told]) -> Iterator[Told]:
    """Yield our fastest within the memory of `small`, or our lightest where none is, beside the lightest peer."""
    fits = {name: one for name, one in ours.items() if one["resident_bytes"] <= SMALL_MIB * 2**20}
    small = _least(fits, "p50_us") if fits else _least(ours, "resident_bytes")
    light = _least(right, "resident_bytes")
    title, mine, theirs = f"{told}, small ({small})", ours[small], right[light]
    held = mine["resident_bytes"] / 2**20
    beside = theirs["resident_bytes"] / 2**20
    row = sidebyside.row(f"{title}: resident", held, beside, f"{light}, the lightest", "MiB", None)
    yield row | _goal(held, SMALL_MIB)
    yield sidebyside.row(f"{title}: p50", mine["p50_us"], theirs["p50_us"], light, "us", None)
    yield sidebyside.row(
        f"{title}: cold start", mine["cold_s"] * 1e3, theirs["cold_s"] * 1e3, light, "ms", None
    )


def _least(of: Mapping[str, Told], figure: str) -> str:
    return min(of, key=lambda name: float(of[name][figure]))


def _goal(figure: float, limit: float) -> Told:
    """Return a goal that the figure itself is judged by, not its ratio to the peer's."""
    return {"goal": limit, "met": bool(figure <= limit)}


def _trees(folder: Path) -> Iterator[Told]:
    """Yield boosted trees: the kernels in a release beside LightGBM, onnxruntime and lleaves."""
    import lightgbm

    from flyball.kernels import trees
    from flyball.model import inputs, native, onnx, onnx_trees, tensors

    folder.mkdir()
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40_000, 50)).astype(np.float32)
    event = (x @ rng.normal(size=50) + 3 * x[:, 0] * x[:, 1] + rng.normal(size=len(x)) > 0) * 1.0
    settings = {"objective": "binary", "num_leaves": 31, "verbose": -1, "num_threads": 1}
    booster = lightgbm.train(settings, lightgbm.Dataset(x, event), 100)
    booster.save_model(folder / "model.txt")
    np.save(folder / "x.npy", x[:500])
    graph = onnx_trees.export(booster, 50)
    (folder / "fp32.onnx").write_bytes(graph)
    flat = tensors.Flat(inputs.Inputs(tuple(f"c{n:02d}" for n in range(50)), {}))
    kind = {"family": "trees", "kind": "probability", "inputs": [flat.settings()]}
    _release(folder, "kernels", native.TreesPredictor(trees.Trees.from_onnx(graph).to_bytes(), kind))
    _release(folder, "onnxruntime", onnx.OnnxPredictor(graph, kind))
    runtimes = [
        "lightgbm",
        "onnxruntime:fp32",
        *(["lleaves"] if LLEAVES else []),
        "ours:kernels",
        "ours:onnxruntime",
    ]
    measured = _measured(folder, runtimes)
    truth = np.load(folder / "lightgbm.npy")
    for runtime, one in measured.items():
        answers = np.load(folder / f"{runtime}.npy")
        apart = float(np.abs((answers[:, 1] if answers.ndim == 2 else answers) - truth).max())
        one |= {"apart": apart, "lost": 0.0, "correct": apart <= 1e-5}
    yield from _profiles("boosted trees, 100 x 31 leaves x 50 columns", measured, False)
    if not LLEAVES:
        yield _absent(
            "boosted trees: lleaves", "not measured: FLYBALL_LLEAVES_PYTHON names no Python that has it"
        )
    yield _absent("boosted trees: openvino", "it reads no tree ensembles")


def _absent(case: str, why: str) -> Told:
    """Return a row that says why a peer is not there."""
    return sidebyside.row(f"{case}: {why}", None, None, "", "", None)  # type: ignore[arg-type]


def _wilson(share: float, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share of n rows (Wilson 1927)."""
    z = 1.96
    centre, half = share + z * z / (2 * n), z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return float((centre - half) / (1 + z * z / n)), float((centre + half) / (1 + z * z / n))
