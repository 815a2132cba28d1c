"""Files that are whole or absent after any crash, and arrays that live in them."""

from __future__ import annotations

import mmap
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from delineate.adapters.volume_cache.manifest import ArraySpec, DamagedEntryError
from delineate.durable_files import sync

POPULATE_WRITE = 23
"""Of Linux's madvise: make all pages at once (MADV_POPULATE_WRITE, which Python does not name)."""
BEHIND_S = 0.1
"""Pause between two rounds of writing behind."""
POPULATED_BYTES = 4 * 1024**2
"""At a time: a few milliseconds."""


def allocate(path: Path, nbytes: int) -> None:
    """Make a new file with all its blocks, so that a full disk shows now and not as a fault of a mapped page."""
    path.unlink(missing_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(fd, 0, nbytes)
    finally:
        os.close(fd)


@contextmanager
def written_behind(path: Path) -> Iterator[None]:
    """Have what is written to a file go to the disk meanwhile, so that ``sync`` afterwards has little left to do."""
    done = threading.Event()

    def write() -> None:
        with suppress(OSError):  # sync finds it as well, and is waited for
            while not done.wait(BEHIND_S):
                sync(path)

    thread = threading.Thread(target=write, name="write-behind", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def map_to_write(path: Path, spec: ArraySpec) -> npt.NDArray[Any]:
    """Return the array whose memory is that file; ``sync`` makes what is written to it durable."""
    with path.open("r+b") as file:
        mapping = mmap.mmap(file.fileno(), spec.nbytes, access=mmap.ACCESS_WRITE)
    with suppress(OSError):  # of kernels before 5.14: then each page is made when it is written, which takes longer
        for start in range(0, spec.nbytes, POPULATED_BYTES):  # Python's other threads stand still for each
            mapping.madvise(POPULATE_WRITE, start, min(POPULATED_BYTES, spec.nbytes - start))
    return np.ndarray(spec.shape, np.dtype(spec.dtype), buffer=mapping)


def map_to_read(path: Path, spec: ArraySpec, release: Callable[[], None]) -> npt.NDArray[Any]:
    """Return a file as a read-only array whose pages all processes share.

    The mapping is copy-on-write beneath: a library that ignores the read-only flag changes a page of its own, neither
    the file nor anybody else's voxels, and does not kill the process.

    Parameters
    ----------
    path, spec
        The file, and what it holds.
    release
        Called when the last view of the array is gone.

    Raises
    ------
    DamagedEntryError
        If the file is missing, or not as long as it should be.
    """
    try:
        with path.open("rb") as file:
            length = os.fstat(file.fileno()).st_size
            if length != spec.nbytes:
                raise DamagedEntryError(f"{path.name} has {length} bytes, not {spec.nbytes}")
            mapping = mmap.mmap(file.fileno(), spec.nbytes, access=mmap.ACCESS_COPY)
    except FileNotFoundError as error:
        raise DamagedEntryError(f"{path.name} is missing") from error
    mapping.madvise(mmap.MADV_WILLNEED)
    weakref.finalize(mapping, release).atexit = False
    array = np.ndarray(spec.shape, np.dtype(spec.dtype), buffer=mapping)
    array.setflags(write=False)
    return array


def bytes_in(folder: Path) -> int:
    """Return the length of all files in a folder; 0 if it has gone."""
    total = 0
    with suppress(FileNotFoundError), os.scandir(folder) as files:
        for file in files:
            with suppress(FileNotFoundError):  # replaced or removed meanwhile
                total += file.stat(follow_symlinks=False).st_size
    return total
