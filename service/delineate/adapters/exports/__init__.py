"""Segments in the formats of research and radiotherapy: one exporter for each."""

from collections.abc import Mapping

from delineate.adapters.exports.meshes import ObjExporter, StlExporter
from delineate.adapters.exports.nifti import NiftiExporter
from delineate.adapters.exports.prompts_json import PromptsExporter
from delineate.adapters.exports.rtstruct import RtStructureSetExporter
from delineate.adapters.exports.seg_nrrd import SegNrrdExporter
from delineate.domain.ports import Exporter

EXPORTERS: Mapping[str, Exporter] = {
    "nifti": NiftiExporter(),
    "nrrd": SegNrrdExporter(),
    "obj": ObjExporter(),
    "prompts": PromptsExporter(),
    "rtstruct": RtStructureSetExporter(),
    "stl": StlExporter(),
}
"""By the name that the API and the command line give the format."""

__all__ = ["EXPORTERS"]
