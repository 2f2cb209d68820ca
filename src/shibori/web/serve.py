"""A studio served until somebody ends it."""

from __future__ import annotations

import ipaddress
import os
import secrets
import socket
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import uvicorn

from shibori.errors import InputError
from shibori.interfaces import InteractiveSegmenter
from shibori.run.choice import SystemChoice, load_interactive_system
from shibori.session.store import ProjectStore
from shibori.web.app import create_app
from shibori.web.guard import HOSTS_OF_THIS_MACHINE, Rules
from shibori.web.library import PROJECT_SUFFIX
from shibori.web.studio import StudioSettings

THIS_MACHINE = "127.0.0.1"
NO_PAGE = (
    "But its page was not built when shibori was installed, for npm's registry could not be reached: only /api answers "
    "until shibori is installed again where it can."
)


@dataclass(frozen=True)
class Address:
    """Where a studio is."""

    host: str
    port: int
    token: str | None

    @property
    def url(self) -> str:
        """To be opened in a browser."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/" + (f"?token={self.token}" if self.token else "")

    @property
    def ssh_line(self) -> str:
        """To reach it from another machine."""
        user = os.environ.get("USER") or "USER"
        return f"ssh -N -L {self.port}:{THIS_MACHINE}:{self.port} {user}@{socket.gethostname()}"


def rules_for(host: str, token: str | None) -> Rules:
    """Whom a server on a host answers: on any but this machine's own there is a token, a given one or a new one."""
    if is_this_machine(host):
        return Rules(token)
    if token is not None and len(token) < 16:
        raise InputError("expected a token of at least 16 characters, or none, so that one is made")
    return Rules(token or secrets.token_urlsafe(24))


def is_this_machine(host: str) -> bool:
    """Whether only this machine reaches the host."""
    if host in HOSTS_OF_THIS_MACHINE:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def free_socket(host: str, port: int) -> socket.socket:
    """A bound socket; port 0: any that is free. InputError where it is taken or there is no such host."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise InputError(
            f"port {port} of {host} cannot be used ({error.strerror or error}): give another --port"
        ) from error
    return bound


def settings_for(source: Path | None, choice: SystemChoice) -> StudioSettings:
    """A studio of a clip, a project, a folder of clips, or the folder one is in.

    InputError where there is nothing of the kind.
    """
    load = partial(load_chosen, choice)
    if source is None:
        return StudioSettings(Path.cwd(), load, device=choice.device)
    if not source.exists():
        raise InputError(f"there is no file or folder {source}")
    source = source.resolve()
    is_clip = source.is_file()
    if source.suffix == PROJECT_SUFFIX or is_clip:
        return StudioSettings(source.parent, load, device=choice.device, opened=source)
    return StudioSettings(source, load, device=choice.device, opened=source)


def move_clip(project: Path, clip: Path) -> None:
    """Tell a project where its clip is now. InputError where that is another one."""
    with ProjectStore(project) as store:
        store.move_clip(clip)


def load_chosen(choice: SystemChoice) -> InteractiveSegmenter:
    """The interactive segmenter of a choice; runs in the worker."""
    return load_interactive_system(choice)


def serve(
    settings: StudioSettings, bound: socket.socket, address: Address, tell: Callable[[str], None], browse: bool
) -> None:
    """Serve until somebody ends it, on a bound socket.

    Args:
        settings: of the studio; its rules are those of the address.
        bound: where it listens.
        address: of it.
        tell: called with the lines a person is to read.
        browse: whether to open a browser, where the machine has a screen.
    """
    app = create_app(replace(settings, rules=replace(settings.rules, token=address.token)))
    tell(f"The studio is at {address.url}")
    if not (settings.page_folder / "index.html").is_file():
        tell(NO_PAGE)
    if browse and has_screen():
        webbrowser.open(address.url)
    elif is_this_machine(address.host) and not has_screen():
        tell(f"From another machine: {address.ssh_line}   and then open that address there")
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2, ws_max_size=1 << 20)
    uvicorn.Server(config).run(sockets=[bound])


def has_screen() -> bool:
    """Whether a browser could be shown."""
    if os.environ.get("SSH_CONNECTION"):
        return False
    return (
        os.name == "nt"
        or os.uname().sysname == "Darwin"
        or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    )
