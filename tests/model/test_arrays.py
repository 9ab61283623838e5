"""Arrays travel as .npy, never as pickles."""

import io

import numpy as np
import pytest

from flyball import errors
from flyball.model import arrays


@pytest.mark.parametrize(
    "array", [np.arange(6.0).reshape(2, 3), np.array([np.nan, np.inf]), np.zeros((0, 4), np.float32)]
)
def test_arrays_come_back_bit_by_bit(array):
    assert arrays.dump(array) == arrays.dump(array.copy())
    back = arrays.load(arrays.dump(array))
    assert back.dtype == array.dtype and back.tobytes() == array.tobytes() and back.shape == array.shape


def test_objects_and_rubbish_are_refused():
    sink = io.BytesIO()
    np.save(sink, np.array([{}], dtype=object), allow_pickle=True)
    for content in (sink.getvalue(), b"", b"rubbish", arrays.dump([1.0, 2.0])[:-3]):
        with pytest.raises(errors.DataError, match=r"no \.npy"):
            arrays.load(content)
