"""Compressors one after another: a pruned net in eight bits, an eight-bit net in OpenVINO."""

from __future__ import annotations

from flyball.features import stage as features
from flyball.model.stage import Compressor, Predictor


class InTurn(Compressor):
    """What each compressor makes of what the one before it made; None where one of them has nothing to make.

    >>> from flyball.model.int8 import Int8
    >>> from flyball.model.openvino import OpenVino
    >>> InTurn((Int8(), OpenVino())).title()
    'Int8+OpenVino'
    """

    compressors: tuple[Compressor, ...]

    def compress(self, predictor: Predictor, calibration: features.Matrix) -> Predictor | None:
        """Return the last variant; None when there is none."""
        import numpy as np

        for compressor in self.compressors:
            wanted = compressor.wants()
            if wanted is not None and len(calibration) > wanted:
                some = calibration.take(np.linspace(0, len(calibration) - 1, wanted).astype(np.int64))
            else:
                some = calibration
            found = compressor.compress(predictor, some)
            if found is None:
                return None
            predictor = found
        return predictor

    def wants(self) -> int | None:
        """Return what the one that wants most is given."""
        each = [compressor.wants() for compressor in self.compressors]
        return None if None in each else max(one for one in each if one is not None)

    def title(self) -> str:
        """Return the titles of all, joined."""
        return "+".join(compressor.title() for compressor in self.compressors)
