"""One session's use of the model."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from delineate.adapters.nninteractive.memory import give_back_memory
from delineate.adapters.nninteractive.network_proxy import NetworkTurns
from delineate.adapters.nninteractive.package import guarded
from delineate.adapters.nninteractive.previews import Previews, difference
from delineate.adapters.nninteractive.session import EngineSession
from delineate.domain.errors import DelineateError, PredictionFailed, SessionClosed
from delineate.domain.labelmap import Labelmap, Region
from delineate.domain.ports import SegmentHistory, StepOutcome
from delineate.domain.prompts import VoxelPrompt


class NnInteractiveEngine:
    """An nnInteractive session that goes to any segment's state before it predicts.

    It remembers the state that it is in. A run that starts from another one restores it first: the labelmap of the last
    step, then the prompts without the network, which leads to the very same bits. So undo, redo, another segment, a
    cancelled or failed run and a session that was parked are all one thing. Not thread-safe.

    Parameters
    ----------
    session
        On the volume, with ``turns`` for its network.
    turns
        What the session calls for a forward pass.
    """

    def __init__(self, session: EngineSession, turns: NetworkTurns) -> None:
        self._session: EngineSession | None = session
        self._turns = turns
        self._state: str | None = None

    def run(
        self,
        history: SegmentHistory,
        prompts: Sequence[VoxelPrompt],
        *,
        state: str,
        seed: int,
        cancelled: Callable[[], bool],
        preview: Callable[[Region], None] | None = None,
    ) -> StepOutcome:
        """Give the prompts to the model after ``history`` and predict once (port ``Engine``).

        Raises
        ------
        PromptMalformed
            If a prompt does not lie in the volume or is empty; nothing was done.
        PromptCancelled, PredictionFailed
            The engine is as if never called.
        """
        session = self._session
        if session is None:
            raise SessionClosed("The session's engine was closed.")
        if not prompts:
            raise ValueError("a run has at least one prompt")
        for prompt in prompts:
            session.check(prompt)
        started = time.perf_counter()
        with self._followed(session, history.labelmap, cancelled, preview), guarded(seed):
            self._go_to(session, history)
            self._state = None
            change = _predict(session, history.labelmap, prompts)
        self._state = state
        return StepOutcome(change, self._turns.passes, (time.perf_counter() - started) * 1000)

    def close(self) -> None:
        """Release the session's memory; the volume goes with its last engine."""
        self._session = None
        self._state = None
        give_back_memory()

    @contextmanager
    def _followed(
        self,
        session: EngineSession,
        before: Labelmap,
        cancelled: Callable[[], bool],
        preview: Callable[[Region], None] | None,
    ) -> Iterator[None]:
        """Let a run be cancelled and shown, and translate what goes wrong in it."""
        turns = self._turns
        previews = Previews(before, preview) if preview is not None else None
        session.watcher = previews
        turns.cancelled, turns.passes = cancelled, 0
        turns.passed = previews.passed if previews is not None else None
        try:
            yield
            if previews is not None:
                previews.finish(session.voxels)
        except DelineateError:
            raise
        except Exception as error:
            raise PredictionFailed(
                f"The model failed ({type(error).__name__}: {error}); the segment is as it was before."
            ) from error
        finally:
            session.watcher = turns.cancelled = turns.passed = None

    def _go_to(self, session: EngineSession, history: SegmentHistory) -> None:
        if self._state == history.state:
            return
        self._state = None
        session.restore(history.labelmap)
        for prompt in history.prompts:
            session.give(prompt, predict=False)
        session.forget_pending()


def _predict(session: EngineSession, before: Labelmap, prompts: Sequence[VoxelPrompt]) -> Region:
    """Add the prompts, predict after the last one, and return what changed."""
    for prompt in prompts[:-1]:
        session.give(prompt, predict=False)
    written = session.give(prompts[-1], predict=True)
    return difference(before, written, session.voxels(written))
