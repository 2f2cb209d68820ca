"""The page's types are those of the server."""

from __future__ import annotations

import importlib.util
from pathlib import Path

WEB_PAGE = Path(__file__).parents[3] / "web-page"


def test_types_are_of_this_server():
    spec = importlib.util.spec_from_file_location("wire_types", WEB_PAGE / "wire_types.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    expected = module.wire_types()
    assert (WEB_PAGE / "src" / "wire.ts").read_text() == expected, (
        "make them anew: python web-page/wire_types.py > web-page/src/wire.ts"
    )
