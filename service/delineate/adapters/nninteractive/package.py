"""What is replaced inside nnInteractive's modules, and the modules themselves.

nnInteractive 2.6.0 prints to standard output, draws from numpy's global generator, and resamples channels that hold
nothing. Each is a name that one of its modules looks up when it needs it, so that it is replaced in that module alone;
outside a `guarded` block the replacements do what the originals do. ``tests/contract/test_nninteractive_private.py``
holds the package to what is assumed here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from types import SimpleNamespace

import numpy as np
import torch
from nnInteractive.inference import inference_session
from nnInteractive.interaction import point
from nnInteractive.utils import bboxes, crop
from nnunetv2.utilities.label_handling import label_handling

logger = logging.getLogger(__name__)

_generator: ContextVar[np.random.RandomState | None] = ContextVar("generator", default=None)
"""Of the run in this thread; None outside of one."""


@contextmanager
def guarded(seed: int) -> Iterator[None]:
    """Run the block with draws of its own: the sequence that ``np.random.seed(seed)`` starts, in this thread only."""
    token = _generator.set(np.random.RandomState(seed))
    try:
        yield
    finally:
        _generator.reset(token)


def _log(*words: object, **_options: object) -> None:
    if logger.isEnabledFor(logging.DEBUG):
        logger.debug("%s", " ".join(map(str, words)))


def _choice(count: int) -> int:
    return int((_generator.get() or np.random).choice(count))


def _holds_nothing(tensor: torch.Tensor) -> bool:
    """Tell whether every voxel of a CPU tensor is zero; False when that is not cheap to know."""
    if tensor.device.type != "cpu" or not tensor.is_contiguous():
        return False
    raw = tensor.numpy().reshape(-1).view(np.uint8)
    whole = raw.size - raw.size % 8
    return not raw[:whole].view(np.uint64).any() and not raw[whole:].any()


def _resampled(original: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """Wrap ``interpolate``: half-precision area resampling takes 0.4 s per channel on a CPU, and most are empty."""

    def interpolate(tensor: torch.Tensor, size: Sequence[int], *, mode: str) -> torch.Tensor:
        if mode == "area" and _generator.get() is not None and _holds_nothing(tensor):
            return torch.zeros((*tensor.shape[:2], *size), dtype=tensor.dtype)
        return original(tensor, size, mode=mode)

    return interpolate


def _pooled(original: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """Wrap the dilation and erosion of channels: of nothing they give nothing."""

    def pool(tensor: torch.Tensor, kernel_size: int, use_min_pool: bool = False) -> torch.Tensor:
        if _generator.get() is not None and _holds_nothing(tensor):
            return tensor
        return original(tensor, kernel_size, use_min_pool=use_min_pool)

    return pool


@cache
def install() -> None:
    """Put the replacements in place, once."""
    for module in (inference_session, point, bboxes, crop, label_handling):
        module.print = _log
    bboxes.np = SimpleNamespace(random=SimpleNamespace(choice=_choice))
    inference_session.interpolate = _resampled(inference_session.interpolate)
    inference_session.iterative_3x3_same_padding_pool3d = _pooled(inference_session.iterative_3x3_same_padding_pool3d)
