"""What the values of a series mean, read from its headers (port ``ScaleReader``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from delineate.adapters.dicom_series.functional_groups import FunctionalGroups
from delineate.adapters.dicom_series.json_model import Item, integer, items, number, text, texts
from delineate.adapters.dicom_series.pet_headers import leaves_out_private, pet_image, private_elements
from delineate.domain.ports import DicomJson
from delineate.domain.suv import pet_scale
from delineate.domain.value_scale import MR, ValueScale, ct_scale, other_scale
from delineate.domain.volume import VolumePlan

CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"


class DicomScaleReader:
    """Tells the unit of a volume's values, and SUVbw where the headers suffice.

    References
    ----------
    PS3.3 C.11.1.1.2 (Rescale Type), C.8.2.1 (CT Image), C.7.6.16.2.9 (Pixel Value Transformation).
    """

    def scale(self, plan: VolumePlan, headers: Sequence[DicomJson], instance: Callable[[str], bytes]) -> ValueScale:
        """Return the scale of a volume.

        Parameters
        ----------
        plan
            Which volume of the series.
        headers
            The attributes of every instance of the series.
        instance
            Returns an instance as a Part 10 file, by its SOP Instance UID.
        """
        if plan.modality == "PT":
            whole = private_elements(instance(plan.instances[0])) if any(map(leaves_out_private, headers)) else {}
            return pet_scale([pet_image(header, whole) for header in headers])
        if plan.modality == "MR":
            return MR
        chosen = set(plan.instances)
        of_volume = [header for header in headers if text(header, "SOPInstanceUID") in chosen]
        kinds = {kind for header in of_volume for kind in _rescale_types(header)}
        if plan.modality == "CT":
            return ct_scale(kinds, presumed=all(map(_is_presumed_hounsfield, of_volume)))
        return other_scale({text(header, "Units") for header in of_volume}, kinds)


def _rescale_types(header: Item) -> Iterator[str | None]:
    """Yield the Rescale Type of each frame; that of a Modality LUT takes its place."""
    if tables := items(header, "ModalityLUTSequence"):
        yield text(tables[0], "ModalityLUTType")
        return
    groups = FunctionalGroups.of(header)
    for frame in range(integer(header, "NumberOfFrames") or 1 if groups.enhanced else 1):
        yield text(groups.group(frame, "PixelValueTransformationSequence"), "RescaleType")


def _is_presumed_hounsfield(header: Item) -> bool:
    """Whether an absent Rescale Type means Hounsfield units: it is required in a CT image of any other unit."""
    return (
        text(header, "SOPClassUID") == CT_IMAGE_STORAGE
        and number(header, "RescaleSlope") is not None
        and number(header, "RescaleIntercept") is not None
        and text(header, "MultienergyCTAcquisition") != "YES"
        and "LOCALIZER" not in texts(header, "ImageType")
    )
