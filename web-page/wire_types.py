"""TypeScript types of what page and server say to each other: ``python web-page/wire_types.py > web-page/src/wire.ts``.

They are made from the OpenAPI document of the server; a test compares them with it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shibori.web.app import create_app, openapi_document
from shibori.web.schema import load_nothing
from shibori.web.studio import StudioSettings

HEADING = "// Made by web-page/wire_types.py from the server's OpenAPI document: do not edit.\n"
_LEFT_OUT = ("HTTPValidationError", "ValidationError")


def wire_types() -> str:
    """The text of ``web-page/src/wire.ts``."""
    document = openapi_document(create_app(StudioSettings(Path(), load_nothing)))
    schemas = document["components"]["schemas"]
    named = {_type_name(name): schema for name, schema in schemas.items() if name not in _LEFT_OUT}
    return HEADING + "".join(f"\n{_declaration(name, named[name])}" for name in sorted(named))


def _declaration(name: str, schema: dict[str, Any]) -> str:
    if schema.get("type") != "object":
        return f"export type {name} = {_type(schema)};\n"
    required = set(schema.get("required", ()))
    lines = [
        f"  {field}{'' if field in required or 'default' in value else '?'}: {_type(value)};\n"
        for field, value in schema.get("properties", {}).items()
    ]
    return f"export interface {name} {{\n{''.join(lines)}}}\n"


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return _type_name(schema["$ref"].rsplit("/", 1)[1])
    if "const" in schema:
        return f'"{schema["const"]}"'
    if "enum" in schema:
        return " | ".join(f'"{value}"' for value in schema["enum"])
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return " | ".join(dict.fromkeys(_type(each) for each in schema[choice]))
    if "prefixItems" in schema:
        return f"[{', '.join(_type(each) for each in schema['prefixItems'])}]"
    if schema.get("type") == "array":
        return f"Array<{_type(schema['items'])}>"
    return {"integer": "number", "number": "number", "string": "string", "boolean": "boolean", "null": "null"}.get(
        schema.get("type", ""), "unknown"
    )


def _type_name(name: str) -> str:
    """A model that reads otherwise than it is written has two schemas: ``-Output`` is what the server sends."""
    return name.replace("-Input", "").replace("-Output", "Answered")


if __name__ == "__main__":
    print(wire_types(), end="")
