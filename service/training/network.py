"""The demo model's network and its folder in nnInteractive's format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

FEATURES = [8, 16, 32, 64, 96]
"""Features of each resolution; the full one has only 1x1x1 convolutions, so that a pass is cheap on a CPU."""

CONFIGURATION = "demo_3d_ps96"
"""Name of the configuration in plans.json."""

PATCH = 96
"""Edge of the network's input in voxels as shipped."""

LICENCE = "Apache-2.0 (Delineate demo model)"
"""First line of the model's LICENSE file: what the session and the viewer show."""


def architecture() -> dict[str, Any]:
    """Return the ``architecture`` section of plans.json."""
    stages = len(FEATURES)
    # The class is a plain U-Net with features of the prompts as further input; see its module.
    return {
        "network_class_name": "delineate.demo_model.network.PromptedUNet",
        "arch_kwargs": {
            "n_stages": stages,
            "features_per_stage": FEATURES,
            "conv_op": "torch.nn.modules.conv.Conv3d",
            "kernel_sizes": [[1, 1, 1]] + [[3, 3, 3]] * (stages - 1),
            "strides": [[1, 1, 1]] + [[2, 2, 2]] * (stages - 1),
            "n_conv_per_stage": [1, 1, 2, 2, 2],
            "n_conv_per_stage_decoder": [2, 2, 1, 1],
            "conv_bias": True,
            "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
            "norm_op_kwargs": {"eps": 1e-05, "affine": True},
            "dropout_op": None,
            "dropout_op_kwargs": None,
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
        },
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }


def build_network() -> nn.Module:
    """Build the network with random weights: ``(N, 8, P, P, P)`` to logits ``(N, 2, P, P, P)``."""
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

    section = architecture()
    network: nn.Module = get_network_from_plans(
        section["network_class_name"],
        section["arch_kwargs"],
        section["_kw_requires_import"],
        8,
        2,
        allow_init=True,
        deep_supervision=False,
    )
    return network


def _plans() -> dict[str, Any]:
    return {
        "dataset_name": "Dataset000_DelineateDemo",
        "plans_name": "delineateDemoPlans",
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "configurations": {
            CONFIGURATION: {
                "data_identifier": CONFIGURATION,
                "preprocessor_name": "DefaultPreprocessor",
                "batch_size": 1,
                "patch_size": [PATCH] * 3,
                "spacing": [1.0, 1.0, 1.0],
                "normalization_schemes": ["ZScoreNormalization"],
                "use_mask_for_norm": [False],
                "architecture": architecture(),
            }
        },
    }


def _inference_info() -> dict[str, Any]:
    return {
        "inference_class": "nnInteractiveInferenceSession",
        "inference_class_min_version": "2.0.0",
        "supported_interactions": {
            "scribble": True,
            "lasso": True,
            "points": True,
            "bbox2d": True,
            "bbox3d": False,
        },
        "supports_initial_label": True,
        "supports_zero_shot_label_refinement": True,
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


def halve(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the weights as float16, each tensor stored once under all of its names."""
    once: dict[int, torch.Tensor] = {}
    return {name: once.setdefault(t.data_ptr(), t.detach().half().clone()) for name, t in weights.items()}


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(path.name + ".new")
    temporary.write_bytes(content)
    temporary.replace(path)


def export_model(weights: dict[str, torch.Tensor], folder: Path) -> None:
    """Write the model folder that the unmodified nnInteractive session loads.

    Parameters
    ----------
    weights
        The network's state; names that share a tensor are stored once.
    folder
        Where to write; each file is replaced in one step, so a reader never sees half a file.
    """
    (folder / "fold_0").mkdir(parents=True, exist_ok=True)
    documents = {
        "plans.json": _plans(),
        "dataset.json": {
            "channel_names": {"0": "any"},
            "labels": {"background": 0, "object": 1},
            "file_ending": ".nii.gz",
        },
        "inference_info.json": _inference_info(),
    }
    for name, document in documents.items():
        _replace(folder / name, (json.dumps(document, indent=2) + "\n").encode())
    checkpoint = {
        "network_weights": halve(weights),
        "trainer_name": "nnInteractiveTrainer_stub",
        "init_args": {"configuration": CONFIGURATION},
    }
    path = folder / "fold_0" / "checkpoint_final.pth"
    temporary = path.with_name(path.name + ".new")
    torch.save(checkpoint, temporary)
    temporary.replace(path)
