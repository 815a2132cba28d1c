"""The demo's series: a real head MRI as a sagittal MR series with stable UIDs.

The voxels are the MNI152 2009a T1 template (nonlinear, symmetric; McConnell
Brain Imaging Centre), an average of 152 heads that nilearn's package carries.
It is turned into DICOM when the demo is set up; no voxel is kept in the
repository.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import nilearn
import numpy as np
import numpy.typing as npt
from nibabel.nifti1 import Nifti1Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage, generate_uid

SOURCE = "MNI152 2009a nonlinear symmetric T1 template, McConnell Brain Imaging Centre (from nilearn)"
"""Where the voxels come from; written into every instance."""

TEMPLATE = Path("datasets", "data", "mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz")
"""The template inside nilearn's package; RAS axes, 1 mm voxels."""

TEMPLATE_SHAPE = (197, 233, 189)
"""Voxels of the template along right, anterior, superior."""

MATRIX = 256
"""Rows and columns of the series; the template is padded with zeros."""

SLICES = TEMPLATE_SHAPE[0]
"""Number of sagittal instances, from left to right."""

Voxels = npt.NDArray[np.uint16]
"""Voxels of the series, axes (k, j, i)."""

_UID_ENTROPY = "delineate demo head MRI, version 1"


def _stable_uid(role: str) -> UID:
    return generate_uid(entropy_srcs=[_UID_ENTROPY, role])


STUDY_INSTANCE_UID = _stable_uid("study")
SERIES_INSTANCE_UID = _stable_uid("series")
FRAME_OF_REFERENCE_UID = _stable_uid("frame of reference")


def sop_instance_uid(k: int) -> UID:
    """Return the SOP Instance UID of slice ``k``, the same in every run.

    Parameters
    ----------
    k : int
        Slice index, 0 at the left.

    Returns
    -------
    UID
        The UID.
    """
    return _stable_uid(f"instance {k}")


def head_voxels() -> tuple[Voxels, tuple[float, float, float]]:
    """Read the template and turn it into sagittal slices.

    Returns
    -------
    voxels : ndarray, shape (197, 256, 256), dtype uint16
        Axes (k, j, i): to the right, inferior, posterior; 1 mm each.
    origin_mm : tuple of float
        Centre of voxel (0, 0, 0) in LPS, mm.
    """
    image = Nifti1Image.from_filename(Path(nilearn.__file__).parent / TEMPLATE)
    ras = np.asarray(image.dataobj)
    right_mm, anterior_mm, superior_mm = (float(v) for v in image.affine[:3, 3])
    slices = ras.transpose(0, 2, 1)[:, ::-1, ::-1]
    _, rows, columns = slices.shape
    above, before = (MATRIX - rows) // 2, (MATRIX - columns) // 2
    voxels = np.zeros((SLICES, MATRIX, MATRIX), np.uint16)
    voxels[:, above : above + rows, before : before + columns] = slices
    origin_mm = (
        -right_mm,
        -(anterior_mm + columns - 1) - before,
        superior_mm + rows - 1 + above,
    )
    return voxels, origin_mm


def head_series() -> Iterator[Dataset]:
    """Make the instances of the series, slice by slice.

    Yields
    ------
    Dataset
        MR Image Storage, explicit VR little endian, with file meta information.
    """
    voxels, (x_mm, y_mm, z_mm) = head_voxels()
    for k, pixels in enumerate(voxels):
        instance = _series_attributes()
        instance.SOPInstanceUID = sop_instance_uid(k)
        instance.InstanceNumber = k + 1
        instance.ImagePositionPatient = [x_mm - k, y_mm, z_mm]
        instance.SliceLocation = x_mm - k
        instance.PixelData = pixels.astype("<u2").tobytes()
        # Without a preamble dicomweb-client sends, and Orthanc keeps, no Part 10 file.
        instance.preamble = b"\0" * 128
        instance.file_meta = FileMetaDataset()
        instance.file_meta.MediaStorageSOPClassUID = MRImageStorage
        instance.file_meta.MediaStorageSOPInstanceUID = instance.SOPInstanceUID
        instance.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        yield instance


def _series_attributes() -> Dataset:
    """Return what all instances have in common."""
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = MRImageStorage
    dataset.ImageType = ["DERIVED", "SECONDARY", "OTHER"]
    dataset.StudyInstanceUID = STUDY_INSTANCE_UID
    dataset.SeriesInstanceUID = SERIES_INSTANCE_UID
    dataset.FrameOfReferenceUID = FRAME_OF_REFERENCE_UID
    dataset.PatientName = "Demo^Head"
    dataset.PatientID = "DELINEATE-DEMO"
    dataset.PatientBirthDate = ""
    dataset.PatientSex = "O"
    dataset.StudyDate = dataset.SeriesDate = dataset.ContentDate = "20260105"
    dataset.StudyTime = dataset.SeriesTime = dataset.ContentTime = "093000"
    dataset.StudyID = "1"
    dataset.AccessionNumber = ""
    dataset.ReferringPhysicianName = ""
    dataset.StudyDescription = "Head MRI (demo)"
    dataset.SeriesDescription = "T1 3D sagittal, MNI152 template"
    dataset.SeriesNumber = 1
    dataset.Modality = "MR"
    dataset.Manufacturer = "McConnell Brain Imaging Centre"
    dataset.DerivationDescription = SOURCE
    dataset.BodyPartExamined = "HEAD"
    dataset.PatientPosition = "HFS"
    dataset.PositionReferenceIndicator = ""
    _add_acquisition(dataset)
    _add_image_description(dataset)
    return dataset


def _add_acquisition(dataset: Dataset) -> None:
    """Add the MR Image module; an average of many scans has no single echo time."""
    dataset.ScanningSequence = "RM"
    dataset.SequenceVariant = "NONE"
    dataset.ScanOptions = ""
    dataset.MRAcquisitionType = "3D"
    dataset.RepetitionTime = None
    dataset.EchoTime = None
    dataset.EchoTrainLength = None


def _add_image_description(dataset: Dataset) -> None:
    """Add orientation, spacing and pixel description."""
    dataset.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]
    dataset.PixelSpacing = [1, 1]
    dataset.SliceThickness = 1
    dataset.SpacingBetweenSlices = 1
    dataset.Rows = dataset.Columns = MATRIX
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = 0
    dataset.WindowCenter = 130
    dataset.WindowWidth = 250
