"""An undo that cancels a prompt, sent again: it must not cancel another one."""

from __future__ import annotations

import pytest
from tests.fakes import World, point

from delineate.domain.errors import PromptCancelled
from delineate.domain.session import Session
from delineate.usecases.submit_prompt import submit_prompt
from delineate.usecases.undo import undo


@pytest.mark.parametrize("running", [True, False], ids=["running", "collected"])
def test_an_undo_that_cancelled_a_prompt_gives_the_same_reply_again(running: bool) -> None:
    world = World()
    live = world.open()
    kept = submit_prompt(world.host, live, 1, point(1, 2, 3, name="kept"), run=False, digest="d")
    assert kept.result(10).prompt_ids == ("kept",)
    world.segmenter.gate.clear()
    doomed = submit_prompt(world.host, live, 1, point(2, 2, 3, name="doomed"), run=running, digest="d")
    if running:
        assert world.segmenter.entered.acquire(timeout=10)
    first = undo(world.host, live, 1, "key", "d")
    again = undo(world.host, live, 1, "key", "d")
    assert (first.revision, first.prompt_ids) == (again.revision, again.prompt_ids) == (0, ("doomed",))
    world.segmenter.gate.set()
    if running:
        with pytest.raises(PromptCancelled):
            doomed.result(10)
    assert "kept" in live.session.segment(1).applied or "kept" in live.session.segment(1).pending
    world.host.close()
    rebuilt = Session(live.session.id)
    for entry in world.journal.read(live.session.id):
        rebuilt.apply(entry)
    assert rebuilt.ended("doomed") is not None
    assert rebuilt.ended("kept") is None
