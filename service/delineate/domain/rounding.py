"""How numbers are rounded that leave the service in several forms."""

from __future__ import annotations

import math

from delineate.domain.geometry import PatientPoint, Points

SIGNIFICANT_DIGITS = 9
"""As many as fit a DICOM decimal string (16 characters, PS3.5 6.2) whatever the exponent, so that the viewer, the API,
tables and reports show the same number."""

POSITION_DECIMALS = 6
"""Of coordinates in mm: a nanometre, in 16 characters up to ten kilometres."""


def significant(value: float) -> float:
    """Round a number to so many significant digits; ValueError if it is not finite.

    >>> significant(1234.567890123)
    1234.56789
    """
    if not math.isfinite(value):
        raise ValueError(f"{value} is no measurement")
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}") + 0.0  # no negative zero


def rounded_point(position: Points) -> PatientPoint:
    """Return a position of shape (3,), LPS mm, with rounded coordinates."""
    x, y, z = (round(coordinate, POSITION_DECIMALS) + 0.0 for coordinate in position.tolist())
    return PatientPoint(x, y, z)
