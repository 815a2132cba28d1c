"""Model folders: where they come from, whether they may be loaded, what they hold."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnInteractive import model_management

from delineate.domain.errors import LicenceNotAccepted, ModelNotFound

logger = logging.getLogger(__name__)

DEMO = "demo"
"""The model id of the demo model."""
DEMO_FOLDER = Path(__file__).parents[2] / "demo_model"
"""It ships with the package."""
MEASURED = "delineate.json"
"""What was measured of a model: of which weights, and which prompt kinds it takes on oblique planes."""
ALWAYS_OBLIQUE = ("point",)
"""A point is one voxel on any plane."""
OFFICIAL_PREFIX = model_management.MODEL_PREFIX
SETTING = "DELINEATE_MODEL_LICENCE_ACCEPTED"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model folder in nnInteractive's format that may be loaded."""

    id: str
    folder: Path
    licence: str
    """First non-empty line of its LICENSE."""
    weights_sha256: str
    oblique_prompts: tuple[str, ...]
    """Prompt kinds that were measured to work on oblique planes, with these very weights."""

    @property
    def demo(self) -> bool:
        """Whether it is the demo model."""
        return self.id == DEMO


def find_checkpoint(model: str, *, licence_accepted: str | None, data_dir: Path) -> Checkpoint:
    """Find a model and check that it may be loaded.

    Parameters
    ----------
    model
        ``demo``, an official nnInteractive model id, or a folder.
    licence_accepted
        The licence that the site has accepted; has to equal the folder's, except for the demo model, which is ours.
    data_dir
        Official models are downloaded below it.

    Raises
    ------
    ModelNotFound
        If there is no such model here, or its folder lacks files.
    LicenceNotAccepted
        If the folder carries no licence, or another one than was accepted.
    """
    folder = _folder(model, licence_accepted, data_dir)
    licence = _licence(folder)
    if model != DEMO and licence_accepted != licence:
        raise LicenceNotAccepted(
            f"The model {model!r} comes under the licence {licence!r}, which was not accepted here. "
            f"Read {folder / 'LICENSE'}; if this site may use the model under it, set {SETTING}={licence!r}."
        )
    weights = _weights(folder)
    digest = _sha256(weights)
    return Checkpoint(
        id=folder.name if _is_path(model) else model,
        folder=folder,
        licence=licence,
        weights_sha256=digest,
        oblique_prompts=_oblique_prompts(folder, digest),
    )


def _is_path(model: str) -> bool:
    return model != DEMO and not model.startswith(OFFICIAL_PREFIX)


def _folder(model: str, licence_accepted: str | None, data_dir: Path) -> Path:
    if model == DEMO:
        folder = DEMO_FOLDER
    elif not _is_path(model):
        folder = _official(model, licence_accepted, data_dir / "nninteractive")
    else:
        folder = Path(model).expanduser().resolve()
    for name in ("plans.json", "dataset.json"):
        if not (folder / name).is_file():
            raise ModelNotFound(
                f"{folder} is no model folder: it has no {name}. DELINEATE_MODEL is `demo`, an official model id "
                f"({OFFICIAL_PREFIX}...), or a folder in nnInteractive's format."
            )
    return folder


def _official(model: str, licence_accepted: str | None, root: Path) -> Path:
    """Return the folder of an official model: one that is here, or fresh from where nnInteractive publishes them."""
    for place in (root, model_management.get_model_root_dir()):
        if model_management.is_model_downloaded(model, place):
            return Path(model_management.get_local_model_dir(model, place))
    if not licence_accepted:
        raise LicenceNotAccepted(
            f"The official model {model!r} is not here yet, and is not downloaded before its licence is accepted. The "
            f"official weights are published under CC BY-NC-SA 4.0 (non-commercial use); if this site may use them "
            f"under it, set {SETTING}='CC BY-NC-SA 4.0'."
        )
    try:
        return Path(model_management.ensure_model_available(model, root))
    except Exception as error:
        raise ModelNotFound(
            f"The official model {model!r} is not here and could not be downloaded: {error} "
            f"On a machine without internet, download it elsewhere (`nninteractive-download-model {model}`), copy its "
            "folder here and set DELINEATE_MODEL to that folder."
        ) from error


def _licence(folder: Path) -> str:
    path = folder / "LICENSE"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    for line in lines:
        if line.strip():
            return line.strip()
    raise LicenceNotAccepted(
        f"{folder} carries no licence: its LICENSE file is missing or empty, so that nobody can tell whether its use "
        "is allowed. Ask its maker for the licence, and put its name on the first line of that file."
    )


def _weights(folder: Path) -> Path:
    found = sorted(folder.glob("fold_*/checkpoint_final.pth"))
    if len(found) != 1:
        raise ModelNotFound(f"{folder} holds {len(found)} files fold_*/checkpoint_final.pth; exactly one is expected.")
    return found[0]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _oblique_prompts(folder: Path, weights_sha256: str) -> tuple[str, ...]:
    path = folder / MEASURED
    if not path.is_file():
        return ALWAYS_OBLIQUE
    try:
        measured: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        kinds = tuple(str(kind) for kind in measured["oblique_prompts"])
        of_these = measured["weights_sha256"] == weights_sha256
    except (ValueError, KeyError, TypeError) as error:
        raise ModelNotFound(f"{path} is not readable ({type(error).__name__}: {error}).") from error
    if not of_these:
        logger.warning("the figures in %s were measured with other weights: oblique planes are off", path)
        return ALWAYS_OBLIQUE
    return (*ALWAYS_OBLIQUE, *(kind for kind in kinds if kind not in ALWAYS_OBLIQUE))
