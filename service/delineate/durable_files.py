"""Files that are on disk, whole, when a function returns: shared by the adapters that keep things."""

from __future__ import annotations

import os
from pathlib import Path

NEW = ".new"
"""Suffix of a file that is about to replace another."""


def write_whole(path: Path, data: bytes) -> None:
    """Write a file, whole or not at all; durable on return."""
    new = path.with_name(path.name + NEW)
    new.write_bytes(data)
    publish(new, path)


def publish(new: Path, path: Path) -> None:
    """Give a file that is written its name, in place of what had it; durable on return."""
    sync(new)
    new.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Have a file's content, or a folder's list of names, on disk on return."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
