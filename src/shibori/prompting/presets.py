"""The promptable networks by preset."""

from __future__ import annotations

from shibori.nn.tiny_vit import TinyVitSize
from shibori.prompting.network import PromptNetwork, PromptSize
from shibori.prompting.rule import PromptRule

SIZES = {
    "paper": PromptSize(),
    "compact": PromptSize(hidden=1024),
    "tiny": PromptSize(TinyVitSize((16, 24, 32, 32), (1, 1, 1, 1), (2, 2, 2), (4, 4, 4), 32), 2, 4, 64, (4, 8)),
}
"""``paper`` is MobileSAM's size, at the size of picture that it was made for; nobody trained it here."""

RULES = {
    "paper": PromptRule(first_side=1024, side=1024, near_side=1024),
    "compact": PromptRule(),
    "tiny": PromptRule(first_side=96, side=96, near_side=96),
}
"""How each is asked."""


def build_prompt_network(preset: str) -> PromptNetwork:
    """The network of a preset, with random parameters. KeyError for a name that is not in ``SIZES``."""
    return PromptNetwork(SIZES[preset])
