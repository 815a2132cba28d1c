"""How the process keeps the memory of one forward pass for the next."""

from __future__ import annotations

import ctypes
from math import prod
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap
from typing import Any

import numpy as np
import numpy.typing as npt

M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8
"""Numbers of glibc's malloc.h."""
KEPT_BYTES = 1 << 30
"""Free memory at the top of the heap that is not given back; a pass on a CPU uses about this much."""


def keep_freed_memory() -> None:
    """Let the C library keep freed memory instead of fetching it anew from the kernel, page by page.

    torch takes and frees some tens of tensors of up to 100 MB in a pass on a CPU. glibc maps each such block and unmaps
    it again, so that the kernel clears every page at its first touch: a fifth to a quarter of a pass (docs/adr/0018).
    One heap for all threads keeps blocks that the device thread freed for its next pass. Results do not change.
    Elsewhere than with glibc, nothing is done.
    """
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        for option, value in ((M_ARENA_MAX, 1), (M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, KEPT_BYTES)):
            library.mallopt(option, value)


def untouched_zeros(shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return zeros in a mapping of their own: a page takes memory once it is written, and none once the array goes.

    numpy's own zeros would do that if the C library mapped large blocks; as it keeps what was freed, it clears all of
    them by writing.
    """
    kind = np.dtype(dtype)
    mapping = mmap(-1, max(1, prod(shape) * kind.itemsize), flags=MAP_PRIVATE | MAP_ANONYMOUS)
    return np.frombuffer(mapping, dtype=kind, count=prod(shape)).reshape(shape)


def give_back_memory() -> None:
    """Return free pages to the system, those in the middle of the heap included."""
    library = ctypes.CDLL(None)
    if hasattr(library, "malloc_trim"):
        library.malloc_trim(0)
