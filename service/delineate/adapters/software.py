"""Which software computes, for the record."""

from __future__ import annotations

import platform
from importlib.metadata import version

from delineate import __version__

PACKAGES = ("nninteractive", "torch", "numpy")
"""That a model's answer can depend on."""


def software_versions() -> dict[str, str]:
    """Return names and versions."""
    return {
        "delineate": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }
