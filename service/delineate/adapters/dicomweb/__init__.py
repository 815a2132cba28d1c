"""A DICOMweb archive (port ``Archive``) over dicomweb-client."""

from delineate.adapters.dicomweb.archive import DicomWebArchive

__all__ = ["DicomWebArchive"]
