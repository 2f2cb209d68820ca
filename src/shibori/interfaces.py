"""What a segmentation system must be able to do. Abstract classes, nothing else."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from shibori.media.clip import Clip
    from shibori.media.instances import Discovery
    from shibori.media.marks import Marks
    from shibori.media.mask import FrameMasks
    from shibori.media.rounds import Rounds
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


class Suggestion(NamedTuple):
    """Where a correction would help most."""

    frame: int
    object_id: int
    doubt: float
    """In [0, 1]: how likely it is wrong there, as far as the system can tell."""


class Interaction(ABC):
    """One clip, and what its frames show after any rounds: a function of the rounds, whatever was asked before.

    Equal rounds give equal masks. One call at a time; an iterator that was begun may be left at any point.
    """

    @abstractmethod
    def preview(self, rounds: Rounds, frame: int) -> FrameMasks:
        """The masks of one frame: those that ``propagate`` gives for it.

        At once where the frame is that of the last round and was shown before it.

        Raises:
            InputError: the rounds do not fit the clip, or there is no such frame.
        """

    @abstractmethod
    def propagate(
        self,
        rounds: Rounds,
        span: range | None = None,
        report: Callable[[int, int], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        in_order: bool = False,
    ) -> Iterator[FrameMasks]:
        """The masks of every frame that can be decoded, each as soon as it is known.

        Args:
            rounds: all that was said so far.
            span: the frames that are asked for, of any step; all by default.
            report: called with the number of frames looked at so far and of all that are to be looked at; a frame that
                is looked at twice counts twice.
            cancelled: asked before each frame is looked at; once it says so there is no further frame. What came is
                valid, and need not be done again.
            in_order: in the order of ``span``; else outward from the frame of the last round, where somebody looks.

        Raises:
            InputError: at the call, where the rounds do not fit the clip.
        """

    @abstractmethod
    def suggestion(self, rounds: Rounds, cancelled: Callable[[], bool] | None = None) -> Suggestion | None:
        """Where a correction would help most; None where the system cannot tell, or every frame was marked.

        Args:
            rounds: all that was said so far.
            cancelled: asked before each frame is looked at; once it says so the answer is None.
        """


class InteractiveSegmenter(ABC):
    """Rounds of marks and masks on some frames in, masks of all frames out, again and again."""

    is_local: bool = False
    """Whether what is said of an object in a frame changes it no further than to the nearest frames, on either side, in
    which it was marked or given; else any round may change any frame."""

    @abstractmethod
    def begin(self, clip: Clip) -> Interaction:
        """Start work on a clip."""


class MarkSession(ABC):
    """One clip, as the papers have it: ``mark`` some frames, look at the ``masks``, mark again. It remembers."""

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


class MarkSegmenter(ABC):
    """Marks on some frames in, masks of all frames out, again and again."""

    @abstractmethod
    def begin(self, clip: Clip) -> MarkSession:
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
