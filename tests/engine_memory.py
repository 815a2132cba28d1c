"""A process of its own that opens engines, works on each, and reports what one takes.

python -m tests.engine_memory MODEL FOLDER ENGINES K J I
"""

from __future__ import annotations

import json
import sys
from itertools import product
from pathlib import Path

import numpy as np
from tests.engine_cases import KINDS, make_volume, never, prompt
from tests.idle_sessions import anonymous_bytes
from tests.tiny_model import LICENCE

from delineate.adapters.nninteractive.memory import give_back_memory
from delineate.adapters.nninteractive.segmenter import load_segmenter
from delineate.domain.labelmap import Labelmap
from delineate.domain.ports import SegmentHistory


def main(model: str, folder: str, *numbers: str) -> None:
    count, k, j, i = map(int, numbers)
    shape = (k, j, i)
    segmenter = load_segmenter(model, licence_accepted=LICENCE, data_dir=Path(folder), device="cpu", threads=1)
    voxels = np.random.default_rng(1).standard_normal(shape, dtype=np.float32)
    voxels[k // 2 :, j // 2 :, i // 2 :] += 100.0
    volume = make_volume(voxels)
    places = list(product(range(8, k - 8, 24), range(8, j - 8, 24), range(8, i - 8, 24)))
    made, taken = [], []
    for _ in range(count + 1):
        before = [prompt(kind, at, 0, include=include) for at in places for kind in KINDS for include in (True, False)]
        made.append(segmenter.open(volume, "user"))
        history = SegmentHistory("before", Labelmap(shape), tuple(before))
        made[-1].run(history, [prompt("point", (8, 8, 8), 0, include=True)], state="after", seed=1, cancelled=never)
        give_back_memory()
        taken.append(anonymous_bytes())
    found = {"reckoned": segmenter.engine_bytes(shape), "taken": (taken[-1] - taken[0]) / count}
    sys.stdout.write(json.dumps(found) + "\n")
    segmenter.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
