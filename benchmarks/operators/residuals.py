"""Grey images as residuals and back, beside NumPy's differences and sums (it has the plain rules only)."""

from __future__ import annotations

from typing import Any

from benchmarks import pictures, sidebyside

LIBRARIES = ("numpy",)
SIDE = 1024


def rows() -> list[dict[str, Any]]:
    """Return both ways of the rules that NumPy has, the other rules alone, and the choice among them."""
    import numpy as np

    from flyball import kernels

    image = pictures.Camera(pictures.lines(2 * SIDE), 4, SIDE).shoot()
    pixels, made = image.size, []
    for rule, axis in (("up", 0), ("left", 1)):
        laid = kernels.residuals(image, rule)

        def sums(laid: Any = laid, axis: int = axis) -> Any:
            return np.add.accumulate(laid.reshape(SIDE, SIDE), axis=axis, dtype=np.uint8)

        def differences(axis: int = axis) -> Any:
            return np.diff(image, axis=axis, prepend=np.uint8(0))

        assert np.array_equal(sums(), image) and np.array_equal(differences().reshape(-1), laid)
        took = sidebyside.versus(
            lambda r=rule, given=laid: kernels.restore(given, r, image.shape, "u1"), sums, 21
        )
        made.append(_row(f"restore, {rule}", took, pixels, "np.add.accumulate"))
        took = sidebyside.versus(lambda r=rule: kernels.residuals(image, r), differences, 21)
        made.append(_row(f"residuals, {rule}", took, pixels, "np.diff"))
    for rule in ("mean", "cone"):
        laid = kernels.residuals(image, rule)
        assert np.array_equal(kernels.restore(laid, rule, image.shape, "u1"), image)
        taken = sidebyside.seconds(
            lambda r=rule, given=laid: kernels.restore(given, r, image.shape, "u1"), 21
        )
        made.append(sidebyside.row(f"restore, {rule}", taken / pixels * 1e9, None, "", "ns/pixel", None))
    taken = sidebyside.seconds(lambda: kernels.choose_rule(image), 21)
    made.append(sidebyside.row("choose_rule, 1 MP", taken / pixels * 1e9, None, "", "ns/pixel", None))
    return made


def _row(case: str, took: tuple[float, float], pixels: int, peer: str) -> dict[str, Any]:
    ours, theirs = (one / pixels * 1e9 for one in took)
    return sidebyside.row(case, ours, theirs, peer, "ns/pixel", 1.0)
