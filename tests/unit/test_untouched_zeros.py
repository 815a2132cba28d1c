"""Large arrays of zeros take memory where they are written, and give it back when they go."""

from __future__ import annotations

import numpy as np
from tests.idle_sessions import anonymous_bytes

from delineate.adapters.nninteractive.memory import untouched_zeros

MIB = 1024**2
SHAPE = (4, 64, 1024, 1024)
SLACK = 16 * MIB


def test_zeros_take_memory_where_they_are_written_only() -> None:
    before = anonymous_bytes()
    zeros = untouched_zeros(SHAPE, np.uint8)
    assert (zeros.shape, zeros.dtype, zeros.nbytes) == (SHAPE, np.dtype(np.uint8), 256 * MIB)
    assert not zeros[:, ::16].any()
    assert anonymous_bytes() - before < SLACK
    zeros[1, :32] = 7
    assert 32 * MIB <= anonymous_bytes() - before < 32 * MIB + SLACK
    assert int(zeros.sum(dtype=np.int64)) == 7 * 32 * MIB
    del zeros
    assert anonymous_bytes() - before < SLACK


def test_nothing_is_an_array_too() -> None:
    assert untouched_zeros((0, 3), np.float16).shape == (0, 3)
