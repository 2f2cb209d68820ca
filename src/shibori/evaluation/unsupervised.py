"""The DAVIS unsupervised protocol: a system finds objects by itself, and the best of its tracks are scored."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from shibori.datasets.annotated_sequence import AnnotatedSequence
from shibori.errors import InputError
from shibori.evaluation.davis import SequenceFrames, make_result_folder, score_sequences
from shibori.evaluation.proposals import LARGEST_NUM_PROPOSALS
from shibori.evaluation.scores import Progress, ProgressCallback, Scores
from shibori.evaluation.sequence import ResultFolder, require_truth
from shibori.interfaces import InstanceSegmenter
from shibori.media.instances import InstanceTrack, tracks_to_ids
from shibori.media.palette import write_palette_png


def evaluate_unsupervised(
    sequences: Sequence[AnnotatedSequence],
    segmenter: InstanceSegmenter,
    out_dir: str | Path,
    *,
    most: int = 10,
    overwrite: bool = False,
    progress: ProgressCallback | None = None,
) -> Scores:
    """Run a system over sequences without any mark, write its best tracks as palette PNGs, and score what was written.

    Each object of the truth gets one of the tracks, at best; see ``proposals.score_proposals``.

    Args:
        sequences: with pictures and ground truth.
        segmenter: the system.
        out_dir: gets a folder of PNGs per sequence.
        most: tracks of a sequence, the best by score; the protocol allows 20.
        overwrite: write into sequence folders that hold PNGs already.
        progress: called after each sequence.

    Returns:
        The scores, with the seconds each sequence took, scoring not included.

    Raises:
        InputError: ``most`` is out of range; a sequence lacks ground truth; a folder holds other results or cannot be
            written.
    """
    if not 1 <= most <= LARGEST_NUM_PROPOSALS:
        raise InputError(f"expected 1 to {LARGEST_NUM_PROPOSALS} tracks a sequence, found {most}")
    if not sequences:
        raise InputError("there is no sequence to evaluate")
    folders = [Path(out_dir) / sequence.name for sequence in sequences]
    for sequence, folder in zip(sequences, folders, strict=True):
        require_truth(sequence)
        make_result_folder(folder, overwrite=overwrite)
    frames_done, total, scored = 0, sum(sequence.num_frames for sequence in sequences), []
    for sequence, folder in zip(sequences, folders, strict=True):
        began = time.perf_counter()
        frames = SequenceFrames(sequence)
        write_tracks(segmenter.discover(frames).tracks[:most], sequence, frames.size_hw, folder)
        seconds = time.perf_counter() - began
        (scores,) = score_sequences([(sequence, ResultFolder(folder))], protocol="unsupervised").sequences
        scored.append(replace(scores, seconds=seconds))
        frames_done += sequence.num_frames
        if progress is not None:
            progress(Progress(sequence.name, frames_done, total))
    return Scores("unsupervised", tuple(scored))


def write_tracks(
    tracks: Sequence[InstanceTrack], truth: AnnotatedSequence, size_hw: tuple[int, int], folder: Path
) -> None:
    """A palette PNG for every frame; where tracks overlap the better one shows."""
    for index in range(truth.num_frames):
        write_palette_png(folder / f"{truth.frame_name(index)}.png", tracks_to_ids(tracks, index, size_hw))
