"""Where the demo finds what it runs, inside a checkout of the repository."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from delineate.demo.errors import CheckoutMissingError, ProgramMissingError

REPOSITORY = Path(__file__).resolve().parents[3]
"""Root of the checkout that an editable installation runs from."""

EXTENSION = REPOSITORY / "ohif-extension" / "dist"
"""Where ``make`` builds the extension for OHIF."""


def gateway_file(name: str) -> Path:
    """Find a file of the ``orthanc`` folder.

    Parameters
    ----------
    name : str
        Path inside that folder.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    CheckoutMissingError
        If the package runs without the repository.
    """
    path = REPOSITORY / "orthanc" / name
    if not path.exists():
        raise CheckoutMissingError(path)
    return path


def program(name: str) -> str:
    """Find a program, also where Debian keeps system daemons.

    Parameters
    ----------
    name : str
        Name of the executable.

    Returns
    -------
    str
        Its path.

    Raises
    ------
    ProgramMissingError
        If it is not installed.
    """
    path = shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin")))
    if path is None:
        raise ProgramMissingError(name)
    return path
