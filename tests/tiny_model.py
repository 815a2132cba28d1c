"""A model folder without training: a network whose answers depend on every voxel, prompt and intensity it is given.

The object is what is bright within reach of the including prompts. Large objects make AutoZoom zoom out and refine, as
with a real model, and many voxels lie near the threshold, so that the smallest difference in the input shows in the
answer.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import avg_pool3d

LICENCE = "Test licence 1.0"
INFO = {
    "supported_interactions": {"scribble": True, "lasso": True, "points": True, "bbox2d": True, "bbox3d": False},
    "interaction_channels": 6,
    "channel_mapping": {
        "prev_seg": 0,
        "bbox2d": [1, 2],
        "lasso": [1, 2],
        "points": [3, 4],
        "scribble": [5, 6],
    },
    "point_radius": 4,
    "preferred_scribble_thickness": [2, 2, 2],
    "interaction_decay": 0.98,
    "pad_mode_image": "constant",
}


class TinyNetwork(nn.Module):
    """Image, previous labelmap and six prompt channels in, two logits out."""

    def __init__(self, input_channels: int, num_classes: int, reach: int, deep_supervision: bool) -> None:
        super().__init__()
        assert (input_channels, num_classes, deep_supervision) == (8, 2, False)
        self.reach = reach
        self.threshold = nn.Parameter(torch.tensor(0.4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        image, before = x[:, 0:1], x[:, 1:2]
        include = torch.amax(x[:, 2:8:2], dim=1, keepdim=True)
        exclude = torch.amax(x[:, 3:8:2], dim=1, keepdim=True)
        near = _mean(include - exclude, 9)
        bright = (image + 2.0 * near + 0.1 * before > self.threshold).to(x.dtype)
        bright = bright * (_spread(exclude, 3) < 0.5)
        grown = _spread(torch.maximum(include, before) * bright, self.reach) * bright
        score = grown - 0.3
        return torch.cat((-score, score), dim=1)


def _mean(x: torch.Tensor, size: int) -> torch.Tensor:
    """Average over a cube of ``size`` voxels."""
    for axis in range(3):
        kernel = [size if a == axis else 1 for a in range(3)]
        x = avg_pool3d(x, kernel, 1, [n // 2 for n in kernel])
    return x


def _spread(x: torch.Tensor, reach: int) -> torch.Tensor:
    """Give each voxel the largest value within ``reach`` voxels on each axis; ``reach`` is 2**n - 1."""
    for axis in (2, 3, 4):
        step = 1
        while step <= reach:
            count = x.shape[axis] - step
            out = x.clone()
            low, high = out.narrow(axis, 0, count), out.narrow(axis, step, count)
            torch.maximum(low, x.narrow(axis, step, count), out=low)
            torch.maximum(high, x.narrow(axis, 0, count), out=high)
            x, step = out, step * 2
    return x


def write_tiny_model(folder: Path, *, patch: int = 64, reach: int = 63, licence: str | None = LICENCE) -> Path:
    """Write the folder that nnInteractive loads, and return it."""
    name = f"tiny_ps{patch}"
    architecture = {
        "network_class_name": "tests.tiny_model.TinyNetwork",
        "arch_kwargs": {"reach": reach},
        "_kw_requires_import": [],
    }
    configuration = {"patch_size": [patch] * 3, "architecture": architecture}
    plans = {"dataset_name": "Dataset000_Tiny", "plans_name": "tiny", "configurations": {name: configuration}}
    dataset = {"channel_names": {"0": "any"}, "labels": {"background": 0, "object": 1}}
    (folder / "fold_0").mkdir(parents=True)
    for file, content in {"plans.json": plans, "dataset.json": dataset, "inference_info.json": INFO}.items():
        (folder / file).write_text(json.dumps(content), encoding="utf-8")
    if licence is not None:
        (folder / "LICENSE").write_text(f"\n{licence}\nand more words\n", encoding="utf-8")
    weights = TinyNetwork(8, 2, reach, False).state_dict()
    checkpoint = {
        "network_weights": weights,
        "trainer_name": "nnInteractiveTrainer_stub",
        "init_args": {"configuration": name},
    }
    torch.save(checkpoint, folder / "fold_0" / "checkpoint_final.pth")
    return folder
