"""Options of a command, derived from a frozen dataclass: name, type, default and help of every field."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, Field, field, fields
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import typer
from typer.core import TyperCommand

Config = TypeVar("Config")
JSON_HELP = "Print a summary for machines on stdout, and no progress."


ORDER = "shibori.order"
"""Where a command's context keeps in which order its options were given."""


class OrderedCommand(TyperCommand):
    """A command whose options can mean something by their order, also across their names."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As any command does, and note the order."""
        _, _, order = self.make_parser(ctx).parse_args(args=list(args))
        ctx.meta[ORDER] = tuple(parameter.name for parameter in order)
        return super().parse_args(ctx, args)


def json_switch() -> Any:
    """The field of ``--json``."""
    return field(default=False, metadata={"help": JSON_HELP, "flags": ("--json",)})


def command_from(config_class: type[Config], run: Callable[[Config], None], help_text: str | None = None) -> Any:
    """A function that typer can turn into a command: it builds a ``config_class`` from its options and runs it.

    A field's ``metadata`` may hold ``help``; ``flags``, option names other than its own; and ``argument``, true for a
    field given by its position. A tuple becomes an option that can be repeated. A field with ``order`` is no option: it
    gets the names of all others in the order in which they were given, where the command's class is ``OrderedCommand``.
    """
    hints = get_type_hints(config_class)
    options: list[Field[Any]] = list(fields(config_class))  # type: ignore[arg-type]
    known = [field for field in options if not field.metadata.get("order")]
    in_order = [field.name for field in options if field.metadata.get("order")]

    def command(context: typer.Context, **values: Any) -> None:
        values |= {name: context.meta.get(ORDER, ()) for name in in_order}
        run(config_class(**{name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}))

    known.sort(key=lambda field: not _is_required(field))  # what must be given is listed first
    context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    parameters = [context, *(_parameter(field, hints[field.name]) for field in known)]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    command.__doc__ = help_text or config_class.__doc__
    return command


def _parameter(field: Field[Any], hint: Any) -> inspect.Parameter:
    text = field.metadata.get("help")
    repeated = _is_tuple(hint)
    annotation = list[get_args(hint)[0]] if repeated else hint  # type: ignore[misc]
    required = _is_required(field)
    default = ... if required else _default(field, repeated)
    if field.metadata.get("argument"):
        info = typer.Argument(default, help=text, metavar=field.name.upper(), show_default=not required)
    else:
        # "<list[str]>" says nothing to a user; that an option can be repeated is in its help.
        metavar = f"<{get_args(hint)[0].__name__}>" if repeated else None
        info = typer.Option(default, *_flags(field, hint), help=text, metavar=metavar)
    return inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=info, annotation=annotation)


def _is_required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _default(field: Field[Any], repeated: bool) -> Any:
    value: Any = field.default if field.default_factory is MISSING else field.default_factory()
    return list(value) if repeated else value


def _flags(field: Field[Any], hint: Any) -> tuple[str, ...]:
    if field.metadata.get("flags"):
        return tuple(field.metadata["flags"])
    name = "--" + field.name.replace("_", "-")
    # A switch that is off needs no way to be switched off.
    return (f"{name}/--no-{name[2:]}",) if hint is bool and field.default is True else (name,)


def _is_tuple(hint: Any) -> bool:
    if get_origin(hint) in (Union, UnionType):
        return False
    return get_origin(hint) is tuple
