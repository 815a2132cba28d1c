"""The viewer's TypeScript types of the HTTP API are those of the service's routes and schemas."""

from __future__ import annotations

import subprocess
from pathlib import Path

EXTENSION = Path(__file__).parents[2] / "ohif-extension"


def test_the_viewers_types_are_up_to_date(tmp_path: Path) -> None:
    generated = tmp_path / "schema.d.ts"
    subprocess.run([str(EXTENSION / "client/generate"), str(generated)], check=True, capture_output=True)
    committed = EXTENSION / "src/api/schema.d.ts"
    assert generated.read_text() == committed.read_text(), "run ohif-extension/client/generate"
