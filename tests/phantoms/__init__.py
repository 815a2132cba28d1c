"""Synthetic DICOM series for all tests: ``make_series(...)`` and the hostile ones in ``HOSTILE``.

>>> series = make_series(orientation="oblique", modality="MR", shuffled=True)
>>> series.voxels.shape
(12, 20, 24)
"""

from tests.phantoms import hostile_content as _hostile_content  # noqa: F401  (registers its series)
from tests.phantoms.hostile import HOSTILE, HostileSeries
from tests.phantoms.pixels import COMPRESSED, NATIVE, TRANSFER_SYNTAXES
from tests.phantoms.series import (
    PhantomSeries,
    PhantomSpec,
    build,
    copies,
    header,
    make_series,
    part10,
)
from tests.phantoms.volumes import MULTI, SINGLE, SeveralVolumes, make_kind, make_volumes

__all__ = [
    "COMPRESSED",
    "HOSTILE",
    "MULTI",
    "NATIVE",
    "SINGLE",
    "TRANSFER_SYNTAXES",
    "HostileSeries",
    "PhantomSeries",
    "PhantomSpec",
    "SeveralVolumes",
    "build",
    "copies",
    "header",
    "make_kind",
    "make_series",
    "make_volumes",
    "part10",
]
