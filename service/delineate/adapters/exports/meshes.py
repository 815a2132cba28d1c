"""STL and OBJ: one closed surface for each segment, LPS mm.

Written here, because both formats are a few lines; readers that know of it (3D Slicer) take the coordinate system from
``SPACE=LPS`` in the header.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from delineate.adapters.exports.descriptions import write_descriptions
from delineate.adapters.exports.names import segment_stems
from delineate.adapters.exports.surfaces import Surface, surface_of
from delineate.domain.ports import ExportSource

HEADER = "Delineate. SPACE=LPS. Millimetres."
STL_HEADER_BYTES = 80
STL_TRIANGLE = np.dtype([("normal", "<f4", (3,)), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])


class StlExporter:
    """``segment-N-LABEL.stl`` (binary) for each segment, and ``segments.json``."""

    def write(self, source: ExportSource, folder: Path) -> tuple[str, ...]:
        """Write the files; see ``Exporter``."""
        return _write_all(source, folder, ".stl", stl)


class ObjExporter:
    """``segment-N-LABEL.obj`` for each segment, and ``segments.json``."""

    def write(self, source: ExportSource, folder: Path) -> tuple[str, ...]:
        """Write the files; see ``Exporter``."""
        return _write_all(source, folder, ".obj", obj)


def _write_all(source: ExportSource, folder: Path, ending: str, encode: Callable[[Surface], bytes]) -> tuple[str, ...]:
    segments = source.acceptance.segments
    names = [f"{stem}{ending}" for stem in segment_stems(segments)]
    for segment, name in zip(segments, names, strict=True):
        (folder / name).write_bytes(encode(surface_of(segment.labelmap, source.volume.geometry)))
    write_descriptions(segments, [{"file": name} for name in names], folder / "segments.json")
    return (*names, "segments.json")


def stl(surface: Surface) -> bytes:
    """Return a surface as a binary STL file; it has float32, so that it is good to some 1e-5 mm."""
    triangles = np.zeros(len(surface.triangles), STL_TRIANGLE)
    corners = surface.vertices[surface.triangles]
    triangles["corners"] = corners
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    triangles["normal"] = np.divide(normals, lengths, out=np.zeros_like(normals), where=lengths > 0)
    header = HEADER.encode("ascii").ljust(STL_HEADER_BYTES, b" ")
    return header + len(triangles).to_bytes(4, "little") + triangles.tobytes()


def obj(surface: Surface) -> bytes:
    """Return a surface as an OBJ file: vertices to 1e-4 mm, triangles of vertices counted from 1."""
    lines = [f"# {HEADER}"]
    lines += [f"v {x:.4f} {y:.4f} {z:.4f}" for x, y, z in surface.vertices.tolist()]
    lines += [f"f {a} {b} {c}" for a, b, c in (surface.triangles + 1).tolist()]
    return "".join(f"{line}\n" for line in lines).encode("ascii")
