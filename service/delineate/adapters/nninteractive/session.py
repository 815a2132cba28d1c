"""nnInteractive's session as an engine needs it: on a shared volume, restorable, and watched while it predicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from nnInteractive.inference.inference_session import nnInteractiveInferenceSession

from delineate.adapters.nninteractive.memory import untouched_zeros
from delineate.adapters.nninteractive.network_proxy import Network
from delineate.domain.errors import PromptMalformed
from delineate.domain.geometry import Box
from delineate.domain.labelmap import Labelmap, Voxels
from delineate.domain.prompts import VoxelBox, VoxelPoint, VoxelPrompt, VoxelStroke

Artifacts = dict[str, Any]
"""A loaded model, as nnInteractive's own server shares it between sessions."""
Bounds = Sequence[Sequence[int]]
"""Half-open, one pair per axis; may reach outside the volume."""


class Watcher(Protocol):
    """Is told what a prediction is about to look at."""

    def looking(self, bounds: Bounds) -> None:
        """Be told that the next pass sees this part of the volume, perhaps at a smaller scale."""

    def refining(self, patches: Sequence[Bounds], coarse: torch.Tensor, bounds: Bounds) -> None:
        """Be told that the next passes refine these patches of a coarse answer given for ``bounds``."""


class EngineSession(nnInteractiveInferenceSession):  # type: ignore[misc]  # the package has no types
    """A session on an already prepared volume.

    It works like the session it extends, with four differences: the prepared volume is shared instead of made anew;
    memory for interactions is claimed from the system when it is written, not when it is allocated; a segment's state
    is restored in time proportional to the segment, not to the volume; and a watcher can follow a prediction.

    Parameters
    ----------
    artifacts
        The loaded model.
    network
        Stands in for the model's network.
    prepared
        float32 (1, k, j, i), normalised; never written.
    threads
        For torch's and blosc2's work on the CPU.
    """

    def __init__(
        self, artifacts: Artifacts, network: Network, prepared: torch.Tensor, device: torch.device, threads: int
    ) -> None:
        super().__init__(device=device, torch_n_threads=threads, enable_undo=False)
        self.executor.shutdown()
        self.initialize_from_loaded_artifacts(artifacts)
        self.network = network
        self.watcher: Watcher | None = None
        self.preprocessed_image = prepared
        self.original_image_shape: tuple[int, ...] = tuple(prepared.shape)
        self._initialize_interactions(prepared)
        self._clear_target()

    def restore(self, labelmap: Labelmap) -> None:
        """Go to the state that ``add_initial_seg_interaction(labelmap)`` leads to, with nothing pending."""
        self.interactions = self._new_interactions_array(self._interactions_shape, self.torch_n_threads)
        self._dirty_channels: set[int] = set()
        self.current_interaction_intensity = 1.0
        self._last_paste_bbox = None
        self._clear_target()
        if not labelmap.is_empty:
            box, voxels = labelmap.region.box, labelmap.region.voxels
            self.target_buffer[box.slices] = voxels
            values = torch.from_numpy(voxels.astype(np.uint8))
            self._paste_interactions(self._get_prev_seg_channel(), values, box.bounds)
        self.forget_pending()

    def forget_pending(self) -> None:
        """Drop the predictions that prompts have asked for and that were not run."""
        self.new_interaction_centers: list[Sequence[int]] = []
        self.new_interaction_zoom_out_factors: list[float] = []

    def give(self, prompt: VoxelPrompt, *, predict: bool) -> Box:
        """Add a prompt, and predict if asked to; return the box that was written (empty: none was)."""
        changed: Bounds | None
        match prompt:
            case VoxelPoint():
                changed = self.add_point_interaction(prompt.index.as_tuple(), prompt.include, predict)
            case VoxelBox():
                changed = self.add_bbox_interaction(prompt.box.bounds, prompt.include, predict)
            case VoxelStroke():
                add = self.add_scribble_interaction if prompt.kind == "scribble" else self.add_lasso_interaction
                voxels = np.ascontiguousarray(prompt.region.voxels, dtype=np.uint8)
                changed = add(voxels, prompt.include, predict, interaction_bbox=prompt.box.bounds)
        if changed is None or any(stop <= start for start, stop in changed):
            return Box.empty()
        return Box.from_bounds(changed)

    def voxels(self, box: Box) -> Voxels:
        """Return the current labelmap inside ``box``, as a view."""
        target: npt.NDArray[np.uint8] = self.target_buffer
        return target[box.slices].view(np.bool_)

    def check(self, prompt: VoxelPrompt) -> None:
        """Refuse what the session would take and answer wrongly, or break on."""
        _, k, j, i = self.original_image_shape
        whole = Box((0, 0, 0), (k, j, i))
        kind = prompt.kind if isinstance(prompt, VoxelStroke) else "box" if isinstance(prompt, VoxelBox) else "point"
        if prompt.box.is_empty or not whole.contains(prompt.box):
            raise PromptMalformed(f"The {kind}'s voxels {prompt.box.bounds} do not lie in the volume {whole.shape}.")
        if isinstance(prompt, VoxelStroke) and not prompt.region.voxels.any():
            raise PromptMalformed(f"The {kind} covers no voxel. Draw it larger.")
        flat = 1 in prompt.box.shape or self.supported_interactions["bbox3d"]
        if isinstance(prompt, VoxelBox) and not flat:
            raise PromptMalformed("The model takes a box on one slice only.")

    def _clear_target(self) -> None:
        self.set_target_buffer(untouched_zeros(self.original_image_shape[1:], np.uint8))

    def _new_interactions_array(self, shape: tuple[int, ...], compression_nthreads: int) -> Any:  # noqa: ANN401
        if self._interactions_storage_resolved == "tensor":
            return torch.from_numpy(untouched_zeros(shape, np.float16))
        return super()._new_interactions_array(shape, compression_nthreads)

    def _build_network_input(self, prediction_center: Sequence[int], zoom_out_factor: float) -> Any:  # noqa: ANN401
        made = super()._build_network_input(prediction_center, zoom_out_factor)
        if self.watcher is not None:
            self.watcher.looking(made[2])
        return made

    def _refine_coarse(self, bboxes_ordered: Sequence[Bounds], coarse_pred: torch.Tensor, coarse_bbox: Bounds) -> None:
        if self.watcher is not None:
            self.watcher.refining(bboxes_ordered, coarse_pred, coarse_bbox)
        super()._refine_coarse(bboxes_ordered, coarse_pred, coarse_bbox)
