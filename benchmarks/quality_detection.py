"""AP of the detector on photographs that it was not trained on, by class and whatever the class.

    python benchmarks/quality_detection.py DATA --tracker-weights FILE         # DATA: stills/

Each photograph is a clip of one frame, so that the measures are those of YouTube-VIS (mask IoU .50 to .95). Photographs
whose objects nobody classified count only in the second table, where all objects are of one class. Every detection
above 0.05 counts: a threshold of 0.2, as the system uses, would cut the curve off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from _environment import benchmark_parser, describe_run, on_terminal, print_table
from shibori.boxtracking.views import FrameViews
from shibori.datasets.classed_stills import ClassedStill, read_classed_stills
from shibori.datasets.scene.detection_scenes import UNKNOWN_CLASS, still_picture
from shibori.datasets.youtube_vis import InstanceAnnotation, InstanceDataset, Video
from shibori.evaluation.coarse_tracks import coarse_tracks
from shibori.evaluation.instances import InstanceScores, score_instances
from shibori.evaluation.scores import Progress
from shibori.media.instances import InstanceTrack
from shibori.media.rle import encode_rle
from shibori.systems.ipdt.build import build_ipdt_segmenter
from shibori.systems.ipdt.inference import IpdtSegmenter
from shibori.systems.ipdt.rule import DetectionRule

LEAST_SCORE = 0.05
LEAST_AREA = 0.005  # share of the photograph; smaller objects are many, and half of them unmarked


def truth_of(still: ClassedStill, video_id: int) -> tuple[Video, list[InstanceAnnotation]]:
    _, ids, labels = still_picture(still)
    size_hw = (ids.shape[0], ids.shape[1])
    found = []
    for number, label in labels.items():
        mask = ids == number
        if label != UNKNOWN_CLASS or mask.any():
            code = encode_rle(mask)
            # What is small is neither missed nor a false find.
            is_small = bool(mask.mean() < LEAST_AREA)
            found.append(
                InstanceAnnotation(
                    1000 * video_id + number, video_id, label, (code,), (), (float(mask.sum()),), is_small
                )
            )
    return Video(video_id, size_hw, 1), found


def detected(segmenter: IpdtSegmenter, still: ClassedStill) -> list[InstanceTrack]:
    parts = segmenter.parts
    frame = FrameViews(still.read_image(), parts.trunk, parts.views, parts.device)
    tracks = [
        InstanceTrack(n, each.class_index + 1, segmenter.classes[each.class_index], each.rank, (each.mask,))
        for n, each in enumerate(parts.finder.find(frame, 0), 1)
    ]
    return coarse_tracks(tracks)


def scored(
    truths: Sequence[tuple[Video, list[InstanceAnnotation]]],
    found: dict[int, list[InstanceTrack]],
    categories: dict[int, str],
) -> InstanceScores:
    videos = {video.video_id: video for video, _ in truths}
    annotations = tuple(each for _, of_video in truths for each in of_video)
    return score_instances(InstanceDataset(Path("stills"), videos, categories, annotations), found)


def print_scores(scores: InstanceScores) -> None:
    columns = ("class", "objects", "AP", "AP50", "AP75", "AR10")
    rows = [
        (each.name, each.num_true, each.ap or 0.0, each.ap50 or 0.0, each.ap75 or 0.0, each.average_recall(10) or 0.0)
        for each in scores.categories
    ]
    values = [scores.summary[name] or 0.0 for name in ("AP", "AP50", "AP75", "AR10")]
    print_table(columns, [*rows, ("**mean**", scores.num_true, *values)])


def main() -> None:
    parser = benchmark_parser(__doc__)
    parser.add_argument("data", type=Path, help="folder with stills/")
    parser.add_argument("--tracker-weights", type=Path, help="weights of the instance-level tracker")
    parser.add_argument("--most", type=int, default=300, help="photographs, drawn with a fixed seed")
    arguments = parser.parse_args()
    print(f"{describe_run()}, preset {arguments.preset}")
    held = [still for still in read_classed_stills(arguments.data / "stills") if still.is_held_out]
    chosen = np.random.default_rng(0).permutation(len(held))[: arguments.most]
    stills = [held[int(index)] for index in sorted(chosen)]
    segmenter = build_ipdt_segmenter(
        arguments.preset, arguments.device, arguments.size, arguments.weights, arguments.tracker_weights
    )
    segmenter.parts.finder.rule = DetectionRule(score=LEAST_SCORE, most=50)
    truths, found, report = [], {}, on_terminal("detection")
    for number, still in enumerate(stills, 1):
        truths.append(truth_of(still, number))
        found[number] = detected(segmenter, still)
        report(Progress(still.image_path.stem, number, len(stills)))
    named = [pair for pair in truths if all(each.category_id != UNKNOWN_CLASS for each in pair[1])]
    numbers = {video.video_id for video, _ in named}
    print(f"\n{len(named)} photographs whose objects have classes\n")
    print_scores(scored(named, {k: v for k, v in found.items() if k in numbers}, dict(segmenter.categories)))
    print(f"\n{len(truths)} photographs, all objects of one class\n")
    merged = [(video, [replace(each, category_id=1) for each in of_video]) for video, of_video in truths]
    alike = {k: [replace(track, category_id=1) for track in tracks] for k, tracks in found.items()}
    print_scores(scored(merged, alike, {1: "object"}))


if __name__ == "__main__":
    main()
