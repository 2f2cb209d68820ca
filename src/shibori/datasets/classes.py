"""What the objects of the training material are: DAVIS sequences by a table, photographs by their ``classes.json``.

Seven coarse classes are what the material allows: below a hundred photographs of a kind, or one sequence of it, teach
no detector. A rider and what is ridden are one object in DAVIS 2016, and have the class of what is ridden.
"""

from __future__ import annotations

COARSE = ("person", "dog", "cat", "large animal", "bird", "vehicle", "thing")
"""Category ids are 1, 2 ... in this order."""

_KINDS = {
    "person": ("person",),
    "dog": ("dog",),
    "cat": ("cat",),
    "large animal": ("horse", "sheep", "cow", "bear", "elephant", "rhino"),
    "bird": ("bird",),
    "vehicle": ("car", "bus", "train", "motorbike", "bicycle", "boat", "sailboard"),
    "thing": (
        "ball",
        "paraglider",
        "chair",
        "sofa",
        "pottedplant",
        "bottle",
        "tvmonitor",
        "diningtable",
        "small object",
        "plate",
    ),
}
COARSE_OF = {kind: coarse for coarse, kinds in _KINDS.items() for kind in kinds}
"""Kind -> coarse class."""

KIND_OF_SEQUENCE = {
    "bear": "bear",
    "bmx-bumps": "bicycle",
    "boat": "boat",
    "breakdance-flare": "person",
    "bus": "bus",
    "car-turn": "car",
    "dance-jump": "person",
    "dog-agility": "dog",
    "drift-turn": "car",
    "elephant": "elephant",
    "flamingo": "bird",
    "hike": "person",
    "hockey": "person",
    "horsejump-low": "horse",
    "kite-walk": "person",
    "lucia": "person",
    "mallard-fly": "bird",
    "mallard-water": "bird",
    "motocross-bumps": "motorbike",
    "motorbike": "motorbike",
    "paragliding": "paraglider",
    "rhino": "rhino",
    "rollerblade": "person",
    "scooter-gray": "motorbike",
    "soccerball": "ball",
    "stroller": "person",
    "surf": "sailboard",
    "swing": "person",
    "tennis": "person",
    "train": "train",
}
"""The annotated object of each DAVIS 2016 sequence we have."""

CROWDED = frozenset(
    {
        "bmx-bumps",
        "breakdance-flare",
        "bus",
        "dance-jump",
        "drift-turn",
        "flamingo",
        "motocross-bumps",
        "scooter-gray",
        "train",
    }
)
"""Sequences that show further objects of these classes without a mask: no ground for exact instance truth."""


KIND_OF_SET = {
    "bottles": "bottle",
    "cats_ardamavi": "cat",
    "ccp": "person",
    "class5_small_objects": "small object",
    "feral_cats": "cat",
    "food_via": "plate",
    "human_seg290": "person",
}
"""Sets of photographs whose objects are all of one kind."""

REGION_SETS = frozenset({"bsds500"})
"""Sets whose masks are regions of the whole picture, not objects."""


def category_id(coarse: str) -> int:
    """The number of a coarse class, from 1."""
    return COARSE.index(coarse) + 1
