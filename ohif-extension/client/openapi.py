"""Print the service's OpenAPI document as JSON; no server, model or archive is needed."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace
from typing import cast

from delineate.http.app import create_app
from delineate.wiring.services import Services


def document() -> str:
    """Return the document, its keys sorted."""
    parts = SimpleNamespace(settings=SimpleNamespace(body_limit_bytes=0), meter=None)
    return json.dumps(create_app(cast("Services", parts)).openapi(), indent=1, sort_keys=True)


if __name__ == "__main__":
    sys.stdout.write(document())
