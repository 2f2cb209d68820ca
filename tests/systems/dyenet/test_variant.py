"""The rows of the paper's Table 1, each one step from the last."""

from __future__ import annotations

from dataclasses import asdict

from shibori.systems.dyenet.variant import VARIANTS, Variant


def parts_on(name: str) -> set[str]:
    return {part for part, is_on in asdict(VARIANTS[name]).items() if is_on}


def test_the_rows_of_table_1_in_its_order_and_then_ours():
    ours = ["matched", "combined-no-reid", "combined"]
    assert list(VARIANTS) == ["msk", "remp-no-attention", "remp", "reid", "advanced", *ours]


def test_what_each_row_has():
    """MSK carries a mask; Re-MP a hidden state; then attention, then Re-ID; then all of Sec. 3; then the tracker's."""
    assert parts_on("msk") == {"mask"}
    assert parts_on("remp-no-attention") == {"hidden"}
    assert parts_on("remp") == {"hidden", "attention"}
    assert parts_on("reid") == {"hidden", "attention", "reid"}
    assert parts_on("advanced") == parts_on("reid") | {"mask", "patches", "flow_stream", "pyramid"}
    assert parts_on("matched") == parts_on("advanced") | {"matching"}
    assert parts_on("combined") == parts_on("matched") | {"tracker_ahead"}
    assert parts_on("combined-no-reid") == parts_on("combined") - {"reid"}


def test_the_default_is_the_whole_of_it():
    assert VARIANTS["combined"] == Variant()
    assert all(asdict(Variant()).values())


def test_the_pixel_trackers_answer_asks_for_patches():
    assert all(variant.patches for variant in VARIANTS.values() if variant.matching)
