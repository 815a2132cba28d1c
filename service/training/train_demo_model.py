"""Train the demo model on synthetic volumes.

Run from ``service/``: ``python -m training.train_demo_model --help``.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from torch import nn
from torch.nn.functional import cross_entropy

from training.episodes import Episode, Sample, ScenePool, make_episode
from training.network import build_network, export_model

logger = logging.getLogger(__name__)

SAVE_EVERY_S = 180.0
"""Seconds between checkpoints."""

DICE_SMOOTHING = 20.0
"""Voxels added to both sides of the Dice fraction, so that patches without the object are harmless."""

SCENE_EVERY = 8
"""Training steps between two renewals of the scene pool."""


@dataclass(slots=True)
class State:
    """What a resumed run needs."""

    network: nn.Module
    average: dict[str, torch.Tensor]
    optimizer: torch.optim.Optimizer
    steps: int = 0


def loss_of(logits: torch.Tensor, sample: Sample) -> tuple[torch.Tensor, float]:
    """Return cross-entropy plus Dice loss, and the hard Dice of the answer.

    Parameters
    ----------
    logits
        float32 ``(1, 2, P, P, P)``.
    sample
        The step that was answered.
    """
    target, weight = sample.target[None], sample.weight[None]
    entropy = (cross_entropy(logits, target, reduction="none") * weight).sum() / weight.sum()
    probability = torch.sigmoid(logits[:, 1] - logits[:, 0])
    both = (probability * target * weight).sum()
    sizes = (probability * weight).sum() + (target * weight).sum()
    dice = (2 * both + DICE_SMOOTHING) / (sizes + DICE_SMOOTHING)
    with torch.no_grad():
        answer = logits[:, 1] > logits[:, 0]
        total = float(answer.sum() + target.sum())
        hard = 2 * float((answer & (target > 0)).sum()) / total if total else 1.0
    return entropy + 1 - dice, hard


class Episodes:
    """Several interactions at once; also, PyTorch convolves single small volumes slowly on one thread."""

    def __init__(self, rng: np.random.Generator, pool: ScenePool, corrections: float, count: int) -> None:
        self._rng, self._pool, self._corrections = rng, pool, corrections
        self._running = [self._start(pool) for _ in range(count)]

    def _start(self, pool: ScenePool) -> tuple[Episode, Sample]:
        while True:
            episode = make_episode(self._rng, pool.draw(), pool.patch, self._corrections)
            sample = next(episode, None)
            if sample is not None:
                return episode, sample

    def current(self) -> list[Sample]:
        """Return the samples to answer now: one of each interaction under way, all of one patch size."""
        return [sample for _, sample in self._running]

    def answer(self, predictions: np.ndarray[Any, np.dtype[np.uint8]]) -> None:
        """Give the predictions, uint8 ``(N, P, P, P)``, for the current samples and go on."""
        for turn, prediction in enumerate(predictions):
            try:
                self._running[turn] = (self._running[turn][0], self._running[turn][0].send(prediction))
            except StopIteration:
                self._running[turn] = self._start(self._pool)


def learning_rate(progress: float, peak: float, final: float) -> float:
    """Return the rate at ``progress`` (0 to 1) of a stage: a short rise, then a cosine fall to ``final``."""
    rise = min(1.0, progress / 0.03 + 0.05)
    return rise * (final + (peak - final) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))


def train_step(state: State, episodes: Episodes, ema: float) -> list[tuple[str, float, float]]:
    """Answer a batch of samples, learn from it and pass the answers on.

    Returns
    -------
    list
        For each sample the kind of step, the loss and the Dice of the answer.
    """
    samples = episodes.current()
    inputs = torch.stack([sample.inputs for sample in samples])
    logits = state.network(inputs.contiguous(memory_format=torch.channels_last_3d))
    losses = [loss_of(logits[n : n + 1], sample) for n, sample in enumerate(samples)]
    state.optimizer.zero_grad(set_to_none=True)
    torch.stack([loss for loss, _ in losses]).mean().backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(state.network.parameters(), 1.0)
    state.optimizer.step()
    state.steps += 1
    decay = min(ema, (1 + state.steps) / (20 + state.steps))
    with torch.no_grad():
        for name, value in state.network.named_parameters():
            state.average[name].lerp_(value, 1 - decay)
    episodes.answer((logits[:, 1] > logits[:, 0]).to(torch.uint8).numpy())
    return [(sample.step, float(loss.detach()), hard) for sample, (loss, hard) in zip(samples, losses, strict=True)]


def averaged_weights(state: State) -> dict[str, torch.Tensor]:
    """Return the averaged weights under every name of the network's state."""
    network = build_network()
    with torch.no_grad():
        for name, value in network.named_parameters():
            value.copy_(state.average[name])
    return network.state_dict()


def save(state: State, checkpoint: Path, model: Path | None) -> None:
    """Write the resumable checkpoint and, if asked, the model folder."""
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "network": state.network.state_dict(),
        "average": state.average,
        "optimizer": state.optimizer.state_dict(),
        "steps": state.steps,
    }
    temporary = checkpoint.with_name(checkpoint.name + ".new")
    torch.save(content, temporary)
    temporary.replace(checkpoint)
    if model is not None:
        export_model(averaged_weights(state), model)


def new_optimizer(network: nn.Module) -> torch.optim.Optimizer:
    """Return a fresh optimiser of the network's weights."""
    return torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=1e-4, betas=(0.9, 0.99))


def load(checkpoint: Path | None) -> State:
    """Build the network, from ``checkpoint`` if it exists."""
    network = build_network().to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    optimizer = new_optimizer(network)
    average = {name: value.detach().clone() for name, value in network.named_parameters()}
    state = State(network, average, optimizer)
    if checkpoint is not None and checkpoint.exists():
        content = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(content["network"])
        optimizer.load_state_dict(content["optimizer"])
        state.average, state.steps = content["average"], int(content["steps"])
    return state


@dataclass(frozen=True, slots=True)
class Stage:
    """How to train, for how long.

    Attributes
    ----------
    minutes
        Time budget.
    patch
        Edge of the network's input in voxels.
    batch
        Interactions under way at once, one sample of each in every step.
    corrections
        Mean number of corrective prompts per object.
    rate, final_rate
        Learning rate at its peak and at the end.
    ema
        Decay of the weight average per step.
    seed
        Seed of scenes and prompts; each further worker adds 1000.
    pool_size
        Scenes kept in memory by each worker.
    """

    minutes: float
    patch: int
    batch: int
    corrections: float
    rate: float
    final_rate: float
    ema: float
    seed: int
    pool_size: int


def train(state: State, stage: Stage, worker: int, after: Callable[[list[tuple[str, float, float]]], None]) -> None:
    """Train for the stage's time on one thread.

    Parameters
    ----------
    state
        The network, shared with the other workers, and this worker's optimiser.
    stage
        How to train.
    worker
        Number of this worker; 0 also averages the weights and saves.
    after
        Called after each step with its samples' kinds, losses and Dice.
    """
    torch.set_num_threads(1)
    torch.manual_seed(stage.seed + 1000 * worker)
    rng = np.random.default_rng(stage.seed + 1000 * worker)
    pool = ScenePool(rng, stage.pool_size, stage.patch)
    episodes = Episodes(rng, pool, stage.corrections, stage.batch)
    start = time.monotonic()
    while (progress := (time.monotonic() - start) / (stage.minutes * 60)) < 1:
        for group in state.optimizer.param_groups:
            group["lr"] = learning_rate(progress, stage.rate, stage.final_rate)
        after(train_step(state, episodes, stage.ema))
        if state.steps % SCENE_EVERY == 0:
            pool.renew()


def help_train(network: nn.Module, optimizer: dict[str, Any], stage: Stage, worker: int) -> None:
    """Train in another process on the same weights, without waiting ("Hogwild"), in time that nobody else wants."""
    os.nice(19)
    state = load(None)
    state.network = network
    state.optimizer = new_optimizer(network)
    state.optimizer.load_state_dict(optimizer)
    parent = torch.multiprocessing.parent_process()

    def stop_with_parent(*_: object) -> None:
        if parent is not None and not parent.is_alive():
            raise SystemExit

    train(state, stage, worker, stop_with_parent)


class Reporter:
    """Log the recent steps and save now and then."""

    def __init__(self, state: State, checkpoint: Path, model: Path | None) -> None:
        self._state, self._checkpoint, self._model = state, checkpoint, model
        self._saved = time.monotonic()
        self._recent: dict[str, list[float]] = {}

    def __call__(self, answered: list[tuple[str, float, float]]) -> None:
        """Take note of one step."""
        for step, loss, hard in answered:
            self._recent.setdefault(step, []).append(hard)
            self._recent.setdefault("loss", []).append(loss)
        if self._state.steps % 50 == 0:
            summary = " ".join(f"{k} {np.mean(v):.3f}/{len(v)}" for k, v in sorted(self._recent.items()))
            logger.info("%d steps: %s", self._state.steps, summary)
            self._recent.clear()
        if time.monotonic() - self._saved > SAVE_EVERY_S:
            self.save()

    def save(self) -> None:
        """Save the checkpoint and the model."""
        save(self._state, self._checkpoint, self._model)
        self._saved = time.monotonic()


def main(
    checkpoint: Annotated[Path, typer.Option(help="Resumable checkpoint; read first if it exists.")],
    minutes: Annotated[float, typer.Option(help="Time budget of this stage.")],
    model: Annotated[Path | None, typer.Option(help="Model folder to keep up to date.")] = None,
    patch: Annotated[int, typer.Option(help="Edge of the network's input in voxels.")] = 96,
    batch: Annotated[int, typer.Option(help="Interactions under way at once.")] = 2,
    corrections: Annotated[float, typer.Option(help="Mean corrective prompts per object.")] = 1.5,
    rate: Annotated[float, typer.Option(help="Peak learning rate.")] = 1e-3,
    final_rate: Annotated[float, typer.Option(help="Learning rate at the end.")] = 1e-5,
    ema: Annotated[float, typer.Option(help="Decay of the weight average.")] = 0.997,
    seed: Annotated[int, typer.Option(help="Seed of scenes and prompts.")] = 1,
    pool_size: Annotated[int, typer.Option(help="Scenes kept in memory by each worker.")] = 40,
    workers: Annotated[int, typer.Option(help="Processes of one thread each.")] = 2,
) -> None:
    """Train for a given time, then save."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    stage = Stage(minutes, patch, batch, corrections, rate, final_rate, ema, seed, pool_size)
    state = load(checkpoint)
    state.network.share_memory()
    context = torch.multiprocessing.get_context("spawn")
    helpers = [
        context.Process(
            target=help_train, args=(state.network, state.optimizer.state_dict(), stage, worker), daemon=True
        )
        for worker in range(1, workers)
    ]
    for helper in helpers:
        helper.start()
    reporter = Reporter(state, checkpoint, model)
    logger.info("%d steps so far", state.steps)
    train(state, stage, 0, reporter)
    for helper in helpers:
        helper.join(timeout=60)
    reporter.save()
    logger.info("done: %d steps of the first worker", state.steps)


if __name__ == "__main__":
    typer.run(main)
