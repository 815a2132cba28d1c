"""The unmodified nnInteractive session, driven by the same voxel prompts: what Delineate has to equal."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from nnInteractive.inference.inference_session import nnInteractiveInferenceSession

from delineate.domain.labelmap import Labelmap
from delineate.domain.prompts import VoxelBox, VoxelPoint, VoxelPrompt, VoxelStroke

Artifacts = dict[str, Any]


def load_artifacts(folder: Path, *, device: str = "cpu", threads: int = 2) -> Artifacts:
    """Load a model folder once for several bare sessions, as nnInteractive's own server does."""
    loader = nnInteractiveInferenceSession(torch.device(device), torch_n_threads=threads)
    artifacts: Artifacts = loader._load_model_artifacts_from_disk(str(folder))
    return artifacts


class BareSession:
    """One image and one object in an unmodified session.

    Parameters
    ----------
    model
        A model folder, or what `load_artifacts` returned for it.
    voxels
        float32 (k, j, i), as in ``Volume.voxels``.

    Attributes
    ----------
    model_ms
        Time of the last call of nnInteractive, prediction included.
    """

    def __init__(
        self,
        model: Path | Artifacts,
        voxels: npt.NDArray[np.float32],
        *,
        device: str = "cpu",
        threads: int = 2,
        storage: str = "auto",
        enable_undo: bool = True,
    ) -> None:
        self.session = nnInteractiveInferenceSession(
            torch.device(device), torch_n_threads=threads, interactions_storage=storage, enable_undo=enable_undo
        )
        if isinstance(model, Path):
            self.session.initialize_from_trained_model_folder(str(model))
        else:
            self.session.initialize_from_loaded_artifacts(model)
        self.session.set_image(np.array(voxels[None]))
        self.target = np.zeros(voxels.shape, dtype=np.uint8)
        self.session.set_target_buffer(self.target)
        self.session._finish_preprocessing_and_initialize_interactions()
        self.model_ms = 0.0

    def prompt(self, prompts: Sequence[VoxelPrompt], seed: int) -> Labelmap:
        """Give the prompts, predict once after the last, and return the labelmap."""
        np.random.seed(seed)
        started = time.perf_counter()
        for number, prompt in enumerate(prompts, 1):
            self.give(prompt, predict=number == len(prompts))
        self.model_ms = (time.perf_counter() - started) * 1000
        return Labelmap.from_array(self.target)

    def start_from(self, labelmap: Labelmap) -> None:
        """Give an initial segmentation: earlier prompts are forgotten."""
        self.session.add_initial_seg_interaction(labelmap.to_array().astype(np.uint8), run_prediction=False)

    def give(self, prompt: VoxelPrompt, *, predict: bool) -> None:
        """Give one prompt."""
        match prompt:
            case VoxelPoint():
                self.session.add_point_interaction(prompt.index.as_tuple(), prompt.include, run_prediction=predict)
            case VoxelBox():
                self.session.add_bbox_interaction(prompt.box.bounds, prompt.include, run_prediction=predict)
            case VoxelStroke():
                name = f"add_{prompt.kind}_interaction"
                getattr(self.session, name)(
                    prompt.region.voxels.astype(np.uint8),
                    prompt.include,
                    run_prediction=predict,
                    interaction_bbox=prompt.box.bounds,
                )
