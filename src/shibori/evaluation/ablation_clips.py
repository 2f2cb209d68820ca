"""The clips that the variants of a system are compared on."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from shibori.datasets.classed_stills import read_classed_objects
from shibori.datasets.davis import DavisSequence, read_davis
from shibori.datasets.scene.composite_sequence import CompositeSequence
from shibori.datasets.scene.composites import composites_from_davis
from shibori.datasets.scene.instance_composites import InstanceComposite, instance_composites
from shibori.datasets.scene.occlusion_composites import hidden_composites
from shibori.errors import InputError

KINDS = ("hidden", "composites", "sequences")
PHOTOGRAPHS = Path("stills") / "voc_seg"
"""The set whose objects have classes, under the data folder."""


@dataclass(frozen=True)
class AblationClips:
    """Sequences of a split of DAVIS, or composites of their objects."""

    data: Path = field(metadata={"help": "DAVIS folder: JPEGImages, Annotations, ImageSets."})
    on: str = field(
        default="hidden",
        metadata={
            "help": "hidden: composites with full occlusions and re-entries; composites; sequences: as they are."
        },
    )
    split: str = field(default="dev", metadata={"help": "List of sequences in ImageSets."})
    year: int | None = field(default=2016, metadata={"help": "2016: all that is marked is one object; 2017: ids."})
    clips: int = field(default=8, metadata={"help": "How many clips."})
    frames: int = field(default=90, metadata={"help": "Frames of a composite."})
    objects: int = field(default=3, metadata={"help": "Objects of a composite."})
    seed: int = field(default=0, metadata={"help": "Of the composites."})

    def read(self) -> list[DavisSequence] | list[CompositeSequence]:
        """The clips. InputError where the folder does not hold what they are made from."""
        if self.on not in KINDS:
            raise InputError(f"expected clips of the kind {', '.join(KINDS)}, found {self.on!r}; choose one")
        sequences = read_davis(self.data, self.year, self.split)
        if self.on == "sequences":
            return sequences[: self.clips]
        make = hidden_composites if self.on == "hidden" else composites_from_davis
        try:
            return make(sequences, self.seed, self.clips, self.objects, num_frames=self.frames)
        except ValueError as error:
            raise InputError(f"{self.data} cannot give such clips: {error}") from error


@dataclass(frozen=True)
class InstanceClips:
    """Composites of held-out material whose objects have classes."""

    data: Path = field(metadata={"help": "Folder with davis2016/ and stills/voc_seg/."})
    split: str = field(default="dev", metadata={"help": "List of sequences in ImageSets."})
    clips: int = field(default=40, metadata={"help": "How many clips."})
    frames: int = field(default=32, metadata={"help": "Frames of each, 32 or more."})
    objects: int = field(default=3, metadata={"help": "Instances of each."})
    height: int = field(default=180, metadata={"help": "Height in pixels; the width is 16/9 of it."})
    seed: int = field(default=0, metadata={"help": "Of the clips."})

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width in pixels, the width even."""
        return self.height, round(self.height * 16 / 18) * 2

    def read(self) -> list[InstanceComposite]:
        """The clips. Objects are of the split's sequences and of the photographs no detector was trained on.

        Raises:
            InputError: the folder lacks something, or cannot give such clips.
        """
        sequences = read_davis(self.data / "davis2016", 2016, self.split)
        objects = [each for each in read_classed_objects(self.data / PHOTOGRAPHS) if each.is_held_out]
        try:
            return instance_composites(
                sequences, objects, self.seed, self.clips, self.objects, self.size_hw, self.frames
            )
        except ValueError as error:
            raise InputError(f"{self.data} cannot give such clips: {error}") from error
