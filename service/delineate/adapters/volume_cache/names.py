"""Names of a volume's arrays."""

from __future__ import annotations

import hashlib
import re

VOXELS = "voxels"
"""The volume itself."""

_DERIVED = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")


def check_derived(name: str) -> None:
    """Refuse a name that is not one for a derived array, or that could not be a file's."""
    if name == VOXELS or not _DERIVED.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a derived array: lower-case letters, digits and ._- make one")


def plan_key(digest: str, volume: str | None) -> str:
    """Return the name under which the plan is kept that headers with this hash gave for a selector."""
    return hashlib.sha256(repr((digest, volume)).encode()).hexdigest()
