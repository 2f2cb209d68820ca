"""The OpenAPI document of a studio, from which the page's types are made: ``python -m shibori.web.schema``."""

from __future__ import annotations

import json
from pathlib import Path

from shibori.interfaces import InteractiveSegmenter
from shibori.web.app import create_app, openapi_document
from shibori.web.studio import StudioSettings


def load_nothing() -> InteractiveSegmenter:
    """Nothing is segmented where only the document is asked for."""
    raise NotImplementedError


if __name__ == "__main__":
    document = openapi_document(create_app(StudioSettings(Path(), load_nothing)))
    print(json.dumps(document, indent=1))
