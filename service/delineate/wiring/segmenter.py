"""The model that the settings name."""

from __future__ import annotations

from delineate.adapters.nninteractive.prepared import PreparedVolumes
from delineate.adapters.nninteractive.segmenter import NnInteractiveSegmenter, load_segmenter
from delineate.settings import Settings


def segmenter_of(settings: Settings, prepared: PreparedVolumes | None = None) -> NnInteractiveSegmenter:
    """Load the settings' model; ModelNotFound or LicenceNotAccepted if it cannot be used."""
    return load_segmenter(
        settings.model,
        licence_accepted=settings.model_licence_accepted,
        data_dir=settings.data_dir,
        device=settings.device,
        threads=settings.threads,
        prepared=prepared,
    )
