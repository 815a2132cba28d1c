"""What is known of a segmentation model."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model that is loaded, in terms that do not depend on its engine."""

    id: str
    name: str
    demo: bool
    """Whether it is the demo model, which is not for any real use."""
    licence: str
    version: str
    """Of the engine's software."""
    weights_sha256: str
    prompts: tuple[str, ...]
    """Prompt kinds that it takes."""
    oblique_prompts: tuple[str, ...]
    """Of these, the kinds enabled on oblique planes (measured: DESIGN section 4)."""
    scribble_thickness_voxels: int
    crop_shape: tuple[int, int, int]
    """Voxels (k, j, i) that the model sees around a prompt at first."""
