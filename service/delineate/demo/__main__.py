"""``python -m delineate.demo``: the demo by itself."""

from __future__ import annotations

import sys

from delineate.demo import run_demo

if __name__ == "__main__":
    sys.exit(run_demo())
