"""``python -m delineate.demo``: the demo by itself."""

from __future__ import annotations

import typer

from delineate.demo.command import demo

if __name__ == "__main__":
    typer.run(demo)
