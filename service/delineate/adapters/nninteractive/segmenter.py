"""A loaded nnInteractive model behind the Segmenter port."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from importlib.metadata import version
from math import prod
from pathlib import Path
from typing import Any

import torch
from nnInteractive.inference.inference_session import nnInteractiveInferenceSession

from delineate.adapters.nninteractive.checkpoint import Checkpoint, find_checkpoint
from delineate.adapters.nninteractive.engine import NnInteractiveEngine
from delineate.adapters.nninteractive.memory import KEPT_BYTES, keep_freed_memory
from delineate.adapters.nninteractive.network_proxy import NetworkTurns
from delineate.adapters.nninteractive.package import install
from delineate.adapters.nninteractive.pass_scheduler import PassScheduler
from delineate.adapters.nninteractive.prepared import PreparedVolumes
from delineate.adapters.nninteractive.session import Artifacts, EngineSession
from delineate.domain.errors import ModelNotFound
from delineate.domain.model import ModelInfo
from delineate.domain.volume import Volume

KINDS = {"points": "point", "bbox2d": "box", "scribble": "scribble", "lasso": "lasso"}
"""nnInteractive's names of interactions, and ours of prompts."""

ENGINE_BYTES = 16 * 1024**2
"""Of an engine whatever the size of its volume: what it reads and writes of a crop, and what Python needs."""
COMPRESSION = 3
"""How much less the interactions of a very large volume take than their dense form, at least (measured: 3.3 to 4)."""


class NnInteractiveSegmenter:
    """One model on one device, shared by any number of engines.

    Parameters
    ----------
    info
        What the model is and takes.
    artifacts
        The loaded model.
    device
        Where it lives.
    threads
        For torch's work on the CPU, in the whole process.
    prepared
        Where engines get their normalised volumes.
    """

    def __init__(
        self, info: ModelInfo, artifacts: Artifacts, device: torch.device, threads: int, prepared: PreparedVolumes
    ) -> None:
        self._info = info
        self._artifacts = artifacts
        self._device = device
        self._threads = threads
        self._prepared = prepared
        self._scheduler = PassScheduler(lambda: _device_thread(device))
        if device.type == "cuda":
            self._scheduler.run("warm-up", self._warm_up)

    @property
    def info(self) -> ModelInfo:
        """What the model is and takes."""
        return self._info

    @property
    def working_bytes(self) -> int:
        """What the passes themselves take of the machine's memory, once for all engines (port ``Segmenter``)."""
        return KEPT_BYTES if self._device.type == "cpu" else 0

    def engine_bytes(self, shape: tuple[int, int, int]) -> int:
        """Return what an engine takes at most: interactions as float16, and the labelmap (port ``Segmenter``)."""
        channels = 1 + int(self._artifacts["capability_content"].get("interaction_channels", 6))
        voxels = prod(shape)
        dense = voxels <= EngineSession.AUTO_TENSOR_MAX_VOXELS
        return ENGINE_BYTES + voxels + (2 * channels * voxels) // (1 if dense else COMPRESSION)

    def open(self, volume: Volume, user: str) -> NnInteractiveEngine:
        """Make an engine for a session of ``user`` (port ``Segmenter``)."""
        turns = NetworkTurns(self._artifacts["network"], self._scheduler, user)
        prepared = self._prepared.get(volume)
        session = EngineSession(self._artifacts, turns, prepared, self._device, self._threads)
        return NnInteractiveEngine(session, turns)

    def close(self) -> None:
        """End the device thread."""
        self._scheduler.close()

    def _warm_up(self) -> None:
        """Let cuDNN choose its algorithms, on the thread that will use them."""
        manager = self._artifacts["configuration_manager"]
        channels = len(self._artifacts["dataset_json"]["channel_names"])
        interactions = self._artifacts["capability_content"].get("interaction_channels", 6) + 1
        patch = torch.zeros((1, channels + interactions, *manager.patch_size), device=self._device)
        self._artifacts["network"](patch)
        torch.cuda.synchronize(self._device)


def load_segmenter(
    model: str,
    *,
    licence_accepted: str | None,
    data_dir: Path,
    device: str = "auto",
    threads: int | None = None,
    prepared: PreparedVolumes | None = None,
) -> NnInteractiveSegmenter:
    """Load a model.

    Parameters
    ----------
    model
        ``demo``, an official nnInteractive model id, or a folder in its format.
    licence_accepted
        The licence that the site has accepted; the demo model needs none.
    data_dir
        Official models are downloaded below it.
    device
        A torch device, or ``auto``: CUDA where there is one, else the CPU.
    threads
        For torch's work on the CPU; None: as many as there are CPUs.
    prepared
        Where engines get their normalised volumes; None: they are made for this segmenter alone.

    Raises
    ------
    ModelNotFound, LicenceNotAccepted
        See `find_checkpoint`; the former too if the folder's content cannot be loaded.
    """
    install()
    checkpoint = find_checkpoint(model, licence_accepted=licence_accepted, data_dir=data_dir)
    where = torch.device("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else torch.device(device)
    workers = threads or os.cpu_count() or 1
    if where.type == "cpu":
        keep_freed_memory()
    try:
        artifacts = _load(checkpoint.folder, where, workers)
        info = _describe(checkpoint, artifacts)
    except Exception as error:
        raise ModelNotFound(
            f"The model in {checkpoint.folder} cannot be loaded ({type(error).__name__}: {error})."
        ) from error
    if prepared is None:
        prepared = PreparedVolumes(workers)
    return NnInteractiveSegmenter(info, artifacts, where, workers, prepared)


def _load(folder: Path, device: torch.device, threads: int) -> Artifacts:
    session = nnInteractiveInferenceSession(device, torch_n_threads=threads, enable_undo=False)
    artifacts: Artifacts = session._load_model_artifacts_from_disk(str(folder))
    if not isinstance(artifacts["point_interaction"].point_radius, int | float):
        raise TypeError("point_radius is drawn at random for each point, so that a session could not be rebuilt")
    return artifacts


def _describe(checkpoint: Checkpoint, artifacts: Artifacts) -> ModelInfo:
    capability: Mapping[str, Any] = artifacts["capability_content"]
    taken: Mapping[str, bool] = {**dict.fromkeys(KINDS, True), **capability.get("supported_interactions", {})}
    kinds = [ours for theirs, ours in KINDS.items() if taken[theirs]]
    if capability.get("supports_initial_label", True):
        kinds.append("labelmap")
    k, j, i = (int(n) for n in artifacts["configuration_manager"].patch_size)
    return ModelInfo(
        id=checkpoint.id,
        name="Delineate demo model" if checkpoint.demo else checkpoint.id,
        demo=checkpoint.demo,
        licence=checkpoint.licence,
        version=f"nnInteractive {version('nninteractive')}",
        weights_sha256=checkpoint.weights_sha256,
        prompts=tuple(kinds),
        oblique_prompts=tuple(kind for kind in checkpoint.oblique_prompts if kind in kinds),
        scribble_thickness_voxels=max(1, round(max(artifacts["preferred_scribble_thickness"]))),
        crop_shape=(k, j, i),
    )


@contextmanager
def _device_thread(device: torch.device) -> Iterator[None]:
    """Surround the device thread with what nnInteractive surrounds a prediction with; each belongs to one thread."""
    autocast = torch.autocast("cuda") if device.type == "cuda" else nullcontext()
    with torch.inference_mode(), autocast:
        yield
