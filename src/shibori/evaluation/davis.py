"""The DAVIS protocols: score anyone's folder of PNGs, or run a system over a set and score it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shibori.datasets.annotated_sequence import AnnotatedSequence
from shibori.errors import InputError
from shibori.evaluation.identity import followed_by, identity_switches
from shibori.evaluation.measures import ids_measures
from shibori.evaluation.proposals import score_proposals
from shibori.evaluation.scores import (
    ObjectScores,
    Progress,
    ProgressCallback,
    ProtocolName,
    Scores,
    SequenceScores,
)
from shibori.evaluation.sequence import ResultFolder, find_results, find_truth, holds_masks, require_truth
from shibori.interfaces import ClipPropagator, FrameSource, Propagation, Propagator
from shibori.media.mask import ids_to_masks, object_ids
from shibori.media.palette import write_palette_png

Pair = tuple[AnnotatedSequence, ResultFolder]


def score_folder(
    results: str | Path,
    ground_truth: str | Path,
    *,
    protocol: ProtocolName = "semi-supervised",
    late_objects: bool = False,
    progress: ProgressCallback | None = None,
    workers: int = 1,
) -> Scores:
    """Score a folder of mask PNGs, whoever made them.

    Args:
        results: one folder of PNGs per sequence, or the PNGs of a single sequence.
        ground_truth: a DAVIS folder, a folder of sequence folders, or the masks of a single sequence. Of its
            sequences those are scored that the results hold; the others are listed in ``Scores.unscored``.
        protocol: ``semi-supervised`` (ids mean the same in both; the first and the last frame do not count) or
            ``unsupervised`` (up to 20 proposals, matched to the objects at best; all frames count, void does not).
        late_objects: also score objects that are not in the first frame, each from the frame after its own first.
            The official protocol ignores them. Semi-supervised only.
        progress: called after each sequence.
        workers: processes to share the sequences among. With more than one, a script must start its work under
            ``if __name__ == "__main__"``, as ``multiprocessing`` asks.

    Raises:
        InputError: a folder, sequence or frame is missing, sizes differ, a file is no mask.
    """
    truth = find_truth(Path(ground_truth))
    found = find_results(Path(results), truth)
    scored = score_sequences(
        [(truth[name], found[name]) for name in truth if name in found],
        protocol=protocol,
        late_objects=late_objects,
        progress=progress,
        workers=workers,
    )
    return replace(scored, unscored=tuple(name for name in truth if name not in found))


def score_sequences(
    pairs: Sequence[Pair],
    *,
    protocol: ProtocolName = "semi-supervised",
    late_objects: bool = False,
    progress: ProgressCallback | None = None,
    workers: int = 1,
) -> Scores:
    """Score result folders against annotated sequences; the arguments are those of ``score_folder``."""
    if protocol == "unsupervised":
        score: Callable[[Pair], SequenceScores] = _score_unsupervised
    else:
        score = _SemiSupervised(late_objects)
    total, done = sum(truth.num_frames for truth, _ in pairs), 0
    scored: list[SequenceScores] = []
    for sequence in _map(score, pairs, min(workers, len(pairs))):
        scored.append(sequence)
        done += sequence.truth.num_frames
        if progress is not None:
            progress(Progress(sequence.name, done, total))
    return Scores(protocol, tuple(scored))


def _map(score: Callable[[Pair], SequenceScores], pairs: Sequence[Pair], workers: int) -> Iterator[SequenceScores]:
    if workers < 2:
        yield from map(score, pairs)
        return
    # Not threads: decoding a PNG, most of the work, holds the interpreter. Not fork: torch may have threads already.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(score, pairs)


def evaluate_davis(
    sequences: Sequence[AnnotatedSequence],
    propagator: Propagator,
    out_dir: str | Path,
    *,
    late_objects: bool = False,
    overwrite: bool = False,
    progress: ProgressCallback | None = None,
) -> Scores:
    """Run a system over sequences given the first masks, write its masks as palette PNGs, and score what was written.

    Args:
        sequences: what ``read_davis`` gives, composites, or anything else with pictures and ground truth.
        propagator: the system.
        out_dir: gets a folder of PNGs per sequence.
        late_objects: also give (and score) objects that are not in the first frame, at the frame they first appear in.
        overwrite: write into sequence folders that hold PNGs already.
        progress: called after each frame.

    Returns:
        The scores, with the seconds each sequence took: reading pictures and writing PNGs included, scoring not.

    Raises:
        InputError: a sequence lacks ground truth or objects; the folder holds other results or cannot be written.
    """
    if not sequences:
        raise InputError("there is no sequence to evaluate")
    folders = [Path(out_dir) / sequence.name for sequence in sequences]
    for sequence, folder in zip(sequences, folders, strict=True):
        require_truth(sequence)
        make_result_folder(folder, overwrite=overwrite)
    score = _SemiSupervised(late_objects)
    clock = _Clock(sum(sequence.num_frames for sequence in sequences), progress)
    scored = []
    for sequence, folder in zip(sequences, folders, strict=True):
        before = clock.seconds
        _run(sequence, propagator, folder, clock, late_objects=late_objects)
        scored.append(replace(score((sequence, ResultFolder(folder))), seconds=clock.seconds - before))
    return Scores("semi-supervised", tuple(scored))


@dataclass
class _Clock:
    """Counts the frames of a set and the time spent on them."""

    num_frames: int
    progress: ProgressCallback | None
    frames_done: int = 0
    seconds: float = 0.0

    def frame_done(self, sequence: str, started: float) -> None:
        self.seconds += time.perf_counter() - started
        self.frames_done += 1
        if self.progress is not None:
            speed = self.frames_done / self.seconds
            self.progress(Progress(sequence, self.frames_done, self.num_frames, speed))


def _run(
    sequence: AnnotatedSequence, propagator: Propagator, folder: Path, clock: _Clock, *, late_objects: bool
) -> None:
    """Propagate through one sequence and write every frame's masks."""
    if isinstance(propagator, ClipPropagator):
        _run_whole(sequence, propagator, folder, clock, late_objects=late_objects)
        return
    propagation: Propagation | None = None
    known: set[int] = set()
    for index in range(sequence.num_frames):
        references = _new_masks(sequence, index, known) if index == 0 or late_objects else {}
        known |= set(references)
        started = time.perf_counter()
        image = sequence.read_image(index)
        if propagation is None:
            propagation = propagator.begin((image.shape[0], image.shape[1]))
        masks = propagation.step(image, references or None)
        write_palette_png(folder / f"{sequence.frame_name(index)}.png", masks.ids)
        clock.frame_done(sequence.name, started)


def _run_whole(
    sequence: AnnotatedSequence, propagator: ClipPropagator, folder: Path, clock: _Clock, *, late_objects: bool
) -> None:
    """The same for a system that works on the clip as a whole; its work before the first mask counts as time too."""
    references: dict[int, dict[int, NDArray[np.bool_]]] = {}
    known: set[int] = set()
    for index in range(sequence.num_frames if late_objects else 1):
        new = _new_masks(sequence, index, known)
        known |= set(new)
        if new:
            references[index] = new
    started = time.perf_counter()
    frames = SequenceFrames(sequence)
    for masks in propagator.propagate(frames, references).masks():
        write_palette_png(folder / f"{sequence.frame_name(masks.index)}.png", masks.ids)
        clock.frame_done(sequence.name, started)
        started = time.perf_counter()


class SequenceFrames(FrameSource):
    """The pictures of an annotated sequence."""

    def __init__(self, sequence: AnnotatedSequence) -> None:
        self.sequence = sequence

    @cached_property
    def size_hw(self) -> tuple[int, int]:
        """Height and width in pixels."""
        image = self.sequence.read_image(0)
        return image.shape[0], image.shape[1]

    @property
    def num_frames(self) -> int:
        """How many there are."""
        return self.sequence.num_frames

    def read(self, index: int) -> NDArray[np.uint8]:
        """One frame."""
        return self.sequence.read_image(index)

    def forward(self, start: int, stop: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """In order of time."""
        return ((index, self.read(index)) for index in range(start, stop))

    def backward(self, start: int, stop: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Against it."""
        return ((index, self.read(index)) for index in range(start, stop, -1))


def _new_masks(sequence: AnnotatedSequence, index: int, known: Iterable[int]) -> dict[int, NDArray[np.bool_]]:
    masks = ids_to_masks(sequence.read_ids(index))
    return {object_id: mask for object_id, mask in masks.items() if object_id not in known}


def make_result_folder(folder: Path, *, overwrite: bool) -> None:
    """A folder for the PNGs of a sequence. InputError where it cannot be made, or holds some and may not be used."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be made: {error.strerror or error}") from error
    if not overwrite and holds_masks(folder):
        raise InputError(f"{folder} already holds PNGs: give another folder, or say that they may be overwritten")


@dataclass(frozen=True)
class _SemiSupervised:
    """Ids mean the same in truth and results; objects are those of the first frame, unless late ones count too."""

    late_objects: bool

    def __call__(self, pair: Pair) -> SequenceScores:
        truth, results = pair
        frames = range(1, truth.num_frames - 1)
        if not frames:
            raise InputError(
                f"{truth.name} has {truth.num_frames} frames, and the first and the last do not count: none is left"
            )
        results.require([truth.frame_name(index) for index in frames])
        tallies = {object_id: _Tally(object_id, 1) for object_id in object_ids(truth.read_ids(0))}
        for index in frames:
            true_ids = truth.read_ids(index)
            pred_ids = results.read_ids(truth.frame_name(index), (true_ids.shape[0], true_ids.shape[1]))
            _add_frame(tallies, pred_ids, true_ids)
            if self.late_objects:
                for object_id in set(object_ids(true_ids)) - set(tallies):
                    tallies[object_id] = _Tally(object_id, index + 1)
        objects = tuple(tallies[object_id].scores() for object_id in sorted(tallies) if tallies[object_id].values)
        if not objects:
            raise InputError(f"the first ground truth of {truth.name} shows no object, so there is nothing to score")
        return SequenceScores(truth, results, objects)


class _Tally:
    """The values of one object while its sequence is read."""

    def __init__(self, object_id: int, first_index: int) -> None:
        self.object_id, self.first_index = object_id, first_index
        self.values: list[tuple[float, float]] = []
        self.matched_ids: list[int | None] = []

    def scores(self) -> ObjectScores:
        """What the values come to."""
        values = np.array(self.values)
        switches = identity_switches(self.object_id, self.matched_ids)
        return ObjectScores(self.object_id, self.object_id, self.first_index, values[:, 0], values[:, 1], switches)


def _add_frame(tallies: dict[int, _Tally], pred_ids: NDArray[Any], true_ids: NDArray[Any]) -> None:
    known = list(tallies)
    values = ids_measures(pred_ids, true_ids, known)
    # Above an IoU of one half the object follows itself and nobody else can; only for the others there is a question.
    matched_ids: dict[int, int | None] = {object_id: object_id for object_id in known}
    astray = [object_id for object_id, (j, _) in zip(known, values, strict=True) if j <= 0.5]
    if len(known) > 1 and astray:
        matched_ids.update(zip(astray, followed_by(pred_ids, true_ids, astray), strict=True))
    for (object_id, tally), (j, f) in zip(tallies.items(), values, strict=True):
        tally.values.append((j, f))
        tally.matched_ids.append(matched_ids[object_id])


def _score_unsupervised(pair: Pair) -> SequenceScores:
    truth, results = pair
    return SequenceScores(truth, results, score_proposals(truth, results))
