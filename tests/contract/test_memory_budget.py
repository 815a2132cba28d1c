"""The memory of many sessions stays within the budget; measured in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import FIGURES

GIB = 1024**3
MIB = 1024**2


@pytest.mark.parametrize(
    ("count", "shape", "budget", "cache_bytes", "most"),
    [
        # one engine fits beside what is set aside for model runs, of which the tiny model uses little
        pytest.param(24, (64, 128, 128), GIB + 64 * MIB, 256 * MIB, 192 * MIB, id="short"),
        pytest.param(
            200,
            (130, 256, 256),
            2 * GIB,
            3 * GIB,
            2 * GIB,
            id="long",
            marks=[pytest.mark.soak, pytest.mark.timeout(1800)],
        ),
    ],
)
def test_many_idle_sessions_keep_within_the_memory_budget(
    tiny_model: Path,
    tmp_path: Path,
    count: int,
    shape: tuple[int, int, int],
    budget: int,
    cache_bytes: int,
    most: int,
    record_property: Callable[[str, object], None],
) -> None:
    """Each on its own series; the volume cache is smaller than what they use in all."""
    found = measured("tests.idle_sessions", tiny_model, tmp_path, count, *shape, budget, cache_bytes)
    record_property(
        FIGURES,
        f"{count} sessions of {shape}: at most {found['peak_above_empty'] / GIB:.2f} GiB above the empty process, "
        f"budget {budget / GIB:.2f} GiB; {found['live']} live at the end; a parked session's next prompt "
        f"{found['parked_prompt_s']:.2f} s beside {found['volume_s']:.2f} s for reading its volume, "
        f"the one after it {found['warm_prompt_s']:.2f} s",
    )
    assert found["sessions"] == count
    assert 0 < found["live"] < count // 8
    assert found["peak_above_empty"] <= most
    assert found["voxels"] > 0


def test_an_engine_takes_no_more_than_is_reckoned_and_not_much_less(
    tiny_model: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """After prompts of every kind, all over the volume."""
    found = measured("tests.engine_memory", tiny_model, tmp_path, 3, 96, 192, 192)
    record_property(
        FIGURES, f"an engine takes {found['taken'] / MIB:.0f} MiB, reckoned {found['reckoned'] / MIB:.0f} MiB"
    )
    assert found["reckoned"] / 3 <= found["taken"] <= found["reckoned"]


def measured(module: str, *arguments: object) -> dict[str, float]:
    """Run a module in a process of its own, and return what it reports."""
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found
