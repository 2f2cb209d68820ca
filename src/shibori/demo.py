"""The demonstration: a clip drawn from nothing, segmented from its first mask, scored against the known truth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from shibori.datasets.scene.composite_sequence import CompositeSequence
from shibori.datasets.scene.demo_clip import make_demo_clip
from shibori.evaluation.davis import score_sequences
from shibori.evaluation.report import write_report
from shibori.evaluation.scores import Scores
from shibori.evaluation.sequence import ResultFolder
from shibori.media.atomic import disk_errors
from shibori.media.palette import write_palette_png
from shibori.media.writer import ONE_FILE_NAMES, write_video
from shibori.run.choice import facts_of, settled_choice
from shibori.run.job import SegmentJob, SegmentSummary, run_job
from shibori.run.progress import Progress

FRAME_RATE = 20


@dataclass(frozen=True)
class DemoResult:
    """What the demonstration made, and how well it went."""

    clip: Path
    first_mask: Path
    masks: Path
    overlay: Path
    sheet: Path
    report: Path
    summary: SegmentSummary
    scores: Scores


def run_demo(
    job: SegmentJob, seed: int = 0, num_frames: int = 60, progress: Progress = lambda done, total: None
) -> DemoResult:
    """Make the clip, segment it as ``job`` says, score the masks and write the report.

    Args:
        job: system and place; see ``demo_job``.
        seed: of the clip.
        num_frames: of the clip.
        progress: called after each segmented frame.

    Raises:
        InputError: the place cannot be written, or the system cannot be had.
    """
    truth = make_demo_clip(seed, num_frames=num_frames)
    _write_inputs(truth, job)
    summary = run_job(job, progress)
    scores = score_sequences([(truth, ResultFolder(job.out))])
    scores = replace(scores, sequences=(replace(scores.sequences[0], seconds=summary.seconds),))
    report = write_report(
        scores, job.out.parent / "report", title="Shibori demonstration", facts=facts_of(settled_choice(job))
    )
    overlay, sheet = (job.out / ONE_FILE_NAMES[name] for name in ("overlay", "sheet"))
    return DemoResult(job.clip, Path(job.mask[0]), job.out, overlay, sheet, report, summary, scores)


def demo_job(out: Path) -> SegmentJob:
    """The job ``shibori segment`` would do on the demonstration's clip: masks, overlay and contact sheet."""
    return SegmentJob(
        clip=out / "clip.mp4",
        mask=(str(out / "first.png"),),
        out=out / "masks",
        format=("palette", "overlay", "sheet"),
        overwrite=True,
    )


def _write_inputs(truth: CompositeSequence, job: SegmentJob) -> None:
    with disk_errors(job.clip.parent):
        job.clip.parent.mkdir(parents=True, exist_ok=True)
    write_video(job.clip, (truth.read_image(index) for index in range(truth.num_frames)), rate=FRAME_RATE)
    write_palette_png(job.mask[0], truth.read_ids(0))
