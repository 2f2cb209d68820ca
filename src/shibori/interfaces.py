"""What a segmentation system must be able to do. Abstract classes, nothing else."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from shibori.media.clip import Clip
    from shibori.media.instances import Discovery
    from shibori.media.marks import Marks
    from shibori.media.mask import FrameMasks
    from shibori.media.track import Tracklet


class Propagation(ABC):
    """One run over one stream of frames. Frames are pushed in order; each answer depends on the past alone."""

    @abstractmethod
    def step(self, image: NDArray[np.uint8], references: Mapping[int, NDArray[np.bool_]] | None = None) -> FrameMasks:
        """Segment the next frame.

        Args:
            image: (H, W, 3) uint8 RGB, of the size given to ``Propagator.begin``.
            references: object_id -> (H, W) bool mask that is true of this very frame. Starts objects that are new
                and corrects those that are known; an all-false mask says the object is not in this frame.

        Returns:
            The masks of every object known so far; ``index`` counts the frames pushed, from 0.
        """


class Propagator(ABC):
    """First mask in, masks of all later frames out."""

    @abstractmethod
    def begin(self, size_hw: tuple[int, int]) -> Propagation:
        """Start a run over frames of ``size_hw`` (height, width in pixels) that knows no object yet."""


class FrameSource(ABC):
    """The frames of a clip that are to be segmented, numbered from 0, as often as they are needed.

    Images are (H, W, 3) uint8 RGB. Frames that cannot be decoded are left out: the numbers say which came.
    """

    @property
    @abstractmethod
    def size_hw(self) -> tuple[int, int]:
        """Height and width in pixels."""

    @property
    @abstractmethod
    def num_frames(self) -> int:
        """How many there should be."""

    @abstractmethod
    def read(self, index: int) -> NDArray[np.uint8]:
        """One frame that came before."""

    @abstractmethod
    def forward(self, start: int, stop: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """The frames ``start``, ``start + 1`` ... before ``stop``, with their numbers."""

    @abstractmethod
    def backward(self, start: int, stop: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """The frames ``start``, ``start - 1`` ... after ``stop``, with their numbers."""


class ClipPropagation(ABC):
    """One run over one clip as a whole."""

    @abstractmethod
    def masks(self) -> Iterator[FrameMasks]:
        """The masks of every frame that came, in order. Most of the work is done before the first is given."""

    @property
    @abstractmethod
    def tracklets(self) -> tuple[Tracklet, ...]:
        """How the masks came about; known once the first of them was given."""


class ClipPropagator(Propagator):
    """A ``Propagator`` that does better where it sees the clip as a whole: it looks ahead, and goes back."""

    @abstractmethod
    def propagate(
        self,
        frames: FrameSource,
        references: Mapping[int, Mapping[int, NDArray[np.bool_]]],
        both_ways: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> ClipPropagation:
        """Segment a whole clip.

        Args:
            frames: of the clip.
            references: frame -> object_id -> (H, W) bool mask that is true of that frame; see ``Propagation.step``.
            both_ways: also segment the frames before an object's first reference.
            progress: called with the number of frames seen so far in the first pass.
        """


class Interaction(ABC):
    """A person and a system at work on one clip, in rounds: ``mark`` some frames, look at the ``masks``, mark again."""

    @abstractmethod
    def mark(self, marks: Marks) -> tuple[FrameMasks, ...]:
        """Take in further marks, and answer for the marked frames alone, soon enough to be drawn under the pen.

        Args:
            marks: drawn since the last call, on any frames; those of earlier calls stay in force. Where two marks
                cover one pixel the later one counts.

        Returns:
            The masks of every frame in ``marks``, in frame order.

        Raises:
            InputError: a mark is on no frame of the clip, or no object is marked yet.
        """

    @abstractmethod
    def masks(self) -> Iterator[FrameMasks]:
        """The masks of every frame of the clip, in frame order, as all marks so far have them.

        Those of a frame that was just marked are those ``mark`` gave. Every call computes anew.

        Raises:
            InputError: nothing was marked yet.
        """


class InteractiveSegmenter(ABC):
    """Marks on some frames in, masks of all frames out, again and again."""

    @abstractmethod
    def begin(self, clip: Clip) -> Interaction:
        """Start work on a clip of which nothing is marked yet."""


class InstanceSegmenter(ABC):
    """Nothing in, tracks of all instances with classes out."""

    @property
    @abstractmethod
    def categories(self) -> Mapping[int, str]:
        """Category id -> name of what it can find."""

    @abstractmethod
    def discover(self, frames: FrameSource, progress: Callable[[int], None] | None = None) -> Discovery:
        """Find, classify, track and segment every instance of a clip.

        Args:
            frames: of the clip.
            progress: called with the number of frames that were searched for objects so far.

        Returns:
            The tracks, each with a code or None for every frame that there should be. None at all where nothing was
            found.
        """
