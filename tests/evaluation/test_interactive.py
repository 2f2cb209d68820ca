"""The protocol with systems that paint, and a clock that is wound by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from shibori.errors import InputError
from shibori.evaluation.interactive import InteractiveSession, evaluate_interactive
from shibori.evaluation.interactive_scores import InteractiveRules
from shibori.evaluation.sequence import sequence_clip
from shibori.interfaces import MarkSegmenter, MarkSession
from shibori.media.mask import FrameMasks, read_ids
from shibori.media.scribble import Scribbles, Stroke, read_scribbles, write_scribbles
from shibori.systems.replay import ReplayedSegmenter

from .made import SIZE_HW, ArraySequence, moving_boxes

RULES = InteractiveRules(num_interactions=4, seconds=10.0, num_starts=2)


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Revealer(MarkSegmenter):
    """Knows the truth, and tells it of the frames that are marked; takes its time."""

    sequences: dict[str, ArraySequence]
    clock: Clock = field(default_factory=Clock)
    seconds: float = 1.0
    seen: list = field(default_factory=list)

    def begin(self, clip):
        self.clock.now += self.seconds
        return Revealing(self, clip)


class Revealing(MarkSession):
    def __init__(self, system, clip):
        self.system, self.clip, self.known = system, clip, set()

    def mark(self, marks):
        self.system.seen.append((self.clip.name, marks.frames, marks.object_ids))
        self.known |= set(marks.frames)
        return tuple(self._masks(index) for index in marks.frames)

    def masks(self):
        for index in range(self.clip.num_frames):
            self.system.clock.now += self.system.seconds / self.clip.num_frames
            yield self._masks(index)

    def _masks(self, index):
        true = self.system.sequences[self.clip.name].ids[index]
        return FrameMasks(index, true if index in self.known else np.zeros_like(true))


def run(sequences, seconds=1.0, rules=RULES, **options):
    system = Revealer({sequence.name: sequence for sequence in sequences}, seconds=seconds)
    session = InteractiveSession(sequences, rules=rules, clock=system.clock, **options)
    return evaluate_interactive(session, ReplayedSegmenter(system)), system


def test_each_round_reveals_one_more_frame():
    sequence = moving_boxes(num_frames=8)
    scores, system = run([sequence])
    assert [(sample.sequence, sample.start) for sample in scores.samples] == [("boxes", 1), ("boxes", 2)]
    for sample in scores.samples:
        assert [entry.j_values.shape for entry in sample.rounds] == [(2, 8)] * 4
        np.testing.assert_allclose([entry.j_means[0] for entry in sample.rounds], np.array([1, 2, 3, 4]) / 8)
        marked = [entry.marked_frames for entry in sample.rounds]
        assert len(set(marked)) == 4
        # Among frames that are equally wrong, the first is corrected.
        fresh = [index for index in range(8) if (index,) != marked[0]]
        assert marked[1:] == [(index,) for index in fresh[:3]]
        np.testing.assert_allclose([entry.seconds for entry in sample.rounds], [2, 1, 1, 1])
    np.testing.assert_allclose(scores.curve.seconds, [0, 2, 3, 4, 5, 2 * 40])
    np.testing.assert_allclose(scores.curve.j_and_f, [0, 1 / 8, 2 / 8, 3 / 8, 4 / 8, 4 / 8])
    assert scores.rise_share == 1
    np.testing.assert_allclose(scores.marked_changes, 1)
    assert {objects for _, _, objects in system.seen} == {(1, 2)}


def test_the_same_seed_gives_the_same_and_another_seed_another_start():
    sequence = moving_boxes(num_frames=20)
    firsts = [[s.rounds[0].marked_frames for s in run([sequence], seed=seed)[0].samples] for seed in (3, 3, 4, 5)]
    assert firsts[0] == firsts[1]
    assert len({tuple(first) for first in firsts}) > 1


def test_all_frames_count_the_first_and_the_last_included():
    sequence = moving_boxes(num_frames=3)
    session = InteractiveSession([sequence], rules=InteractiveRules(num_interactions=1, num_starts=1))
    session.next()
    session.get_scribbles()
    maps = [sequence.ids[0], np.zeros(SIZE_HW), np.zeros(SIZE_HW)]
    session.submit_masks(maps)
    assert session.get_report().j_and_f == pytest.approx(1 / 3)


def test_calls_in_the_official_order():
    sequences = [moving_boxes("a", 5), moving_boxes("b", 4)]
    session = InteractiveSession(sequences, rules=RULES)
    news, drawn = [], {}
    while session.next():
        name, scribbles, is_new = session.get_scribbles()
        news.append((name, is_new))
        strokes = sum(scribbles.strokes, ())
        assert len(strokes) == (2 if is_new else drawn[name] + 2)
        drawn[name] = len(strokes)
        session.submit_masks(np.zeros((scribbles.num_frames, *SIZE_HW), np.uint8))
    assert news == [(name, index == 0) for name in "aabb" for index in range(4)]
    assert not session.next()
    report = session.get_report()
    assert [len(sample.rounds) for sample in report.samples] == [4] * 4
    assert report.j_and_f == 0


def test_only_the_last_scribbles():
    session = InteractiveSession([moving_boxes()], rules=RULES)
    frames = []
    for _ in range(3):
        session.next()
        _, scribbles, _ = session.get_scribbles(only_last=True)
        frames.append(scribbles.frames)
        assert scribbles.annotated_frame == scribbles.frames[0]
        session.submit_masks(np.zeros((8, *SIZE_HW), np.uint8), frames=[2, 5])
    assert frames[1:] == [(2,), (5,)]


@pytest.mark.parametrize(
    "calls",
    [
        lambda s: s.get_scribbles(),
        lambda s: (s.next(), s.submit_masks([])),
        lambda s: (s.next(), s.get_scribbles(), s.get_scribbles()),
        lambda s: (s.next(), s.get_scribbles(), s.next()),
        lambda s: s.get_report(),
    ],
)
def test_calls_out_of_order(calls):
    session = InteractiveSession([moving_boxes()], rules=RULES)
    with pytest.raises(RuntimeError, match="call "):
        calls(session)


def test_time_runs_out():
    """Two objects have 2 * 40 seconds; an answer that comes later does not count, and ends the sample."""
    scores, _ = run([moving_boxes()], seconds=16.5)
    assert [[entry.seconds for entry in sample.rounds] for sample in scores.samples] == [
        pytest.approx([33, 16.5, 16.5])
    ] * 2
    scores, _ = run([moving_boxes()], seconds=16.0)
    assert [len(sample.rounds) for sample in scores.samples] == [4, 4]
    scores, system = run([moving_boxes()], seconds=27.0)
    for sample in scores.samples:
        assert [entry.seconds for entry in sample.rounds] == pytest.approx([54])
        assert sample.after(4) == pytest.approx([1 / 8, 1 / 8])
    assert len(system.seen) == 4
    np.testing.assert_allclose(scores.curve.seconds, [0, 54, 54, 54, 54, 80])
    scores, _ = run([moving_boxes()], seconds=41.0)
    assert [len(sample.rounds) for sample in scores.samples] == [0, 0]
    assert scores.j_and_f == scores.auc == 0


def test_scoring_and_the_robot_are_off_the_clock(monkeypatch):
    import shibori.evaluation.interactive_sample as module

    clock = Clock()
    inner = module.ids_measures

    def slow_measures(*arguments):
        clock.now += 1000
        return inner(*arguments)

    monkeypatch.setattr(module, "ids_measures", slow_measures)
    session = InteractiveSession([moving_boxes()], rules=RULES, clock=clock)
    for _ in range(2):
        session.next()
        session.get_scribbles()
        clock.now += 3
        session.submit_masks(np.zeros((8, *SIZE_HW), np.uint8))
    assert [entry.seconds for entry in session.get_report().samples[0].rounds] == [3, 3]


def test_nothing_left_to_correct():
    sequence = moving_boxes(num_frames=3)
    scores, system = run([sequence], rules=InteractiveRules(num_interactions=6, num_starts=1))
    assert [entry.marked_frames for entry in scores.samples[0].rounds][3:] == [(), (), ()]
    assert scores.j_and_f == 1
    assert len(system.seen) == 3


def person_scribbles(path, object_id=1, num_frames=8):
    path.parent.mkdir(parents=True, exist_ok=True)
    strokes = [()] * num_frames
    strokes[5] = (Stroke(object_id, ((0.3, 0.3), (0.35, 0.3))),)
    write_scribbles(path, Scribbles("boxes", tuple(strokes), 5))


def test_scribbles_that_people_drew(tmp_path):
    for number in (1, 2, 3):
        person_scribbles(tmp_path / "boxes" / f"00{number}.json")
    scores, system = run([moving_boxes(), moving_boxes("others")], scribbles=tmp_path)
    starts = [(sample.sequence, sample.start) for sample in scores.samples]
    assert starts == [("boxes", 1), ("boxes", 2), ("boxes", 3), ("others", 1), ("others", 2)]
    assert system.seen[0] == ("boxes", (5,), (1,))
    # The robot has not used the frame that people marked.
    assert scores.samples[0].rounds[1].marked_frames == (0,)


@pytest.mark.parametrize(("object_id", "found"), [(7, "object 7"), (0, "no object")])
def test_scribbles_for_objects_that_are_not_there(tmp_path, object_id, found):
    person_scribbles(tmp_path / "boxes" / "001.json", object_id)
    with pytest.raises(InputError, match=f"marks {found}, but the ground truth of boxes has objects 1, 2"):
        run([moving_boxes()], scribbles=tmp_path)


def test_scribbles_for_another_number_of_frames(tmp_path):
    person_scribbles(tmp_path / "boxes" / "001.json", num_frames=7)
    with pytest.raises(InputError, match="is for 7 frames, but the clip has 8"):
        run([moving_boxes()], scribbles=tmp_path)


def test_sequences_that_cannot_be_evaluated():
    with pytest.raises(InputError, match="no sequence"):
        InteractiveSession([])
    with pytest.raises(InputError, match="expected a folder of scribbles, found none at nowhere"):
        InteractiveSession([moving_boxes()], Path("nowhere"))
    empty = ArraySequence("empty", (np.zeros(SIZE_HW, np.uint8),) * 3)
    with pytest.raises(InputError, match="of empty shows no object in any frame"):
        InteractiveSession([empty]).next()


@pytest.mark.parametrize(
    ("maps", "found"),
    [
        (np.zeros((7, *SIZE_HW)), "found 7"),
        (np.zeros((8, 10, 10)), r"found one of \(10, 10\)"),
        (np.zeros(SIZE_HW), r"found one of \(80,\)"),
    ],
)
def test_masks_that_do_not_fit(maps, found):
    session = InteractiveSession([moving_boxes()], rules=RULES)
    session.next()
    session.get_scribbles()
    with pytest.raises(InputError, match=rf"expected 8 masks of \(48, 80\).*{found}"):
        session.submit_masks(maps)


def test_a_frame_to_mark_that_is_not_there():
    session = InteractiveSession([moving_boxes()], rules=RULES)
    session.next()
    session.get_scribbles()
    with pytest.raises(InputError, match="boxes has no frame 8 to mark next"):
        session.submit_masks(np.zeros((8, *SIZE_HW)), frames=[8])


def test_results_are_written(tmp_path):
    sequence = moving_boxes(num_frames=5)
    system = Revealer({"boxes": sequence})
    progress = []

    def evaluate(**options):
        session = InteractiveSession([sequence], rules=RULES, clock=system.clock)
        return evaluate_interactive(
            session, ReplayedSegmenter(system), out_dir=tmp_path, progress=progress.append, **options
        )

    scores = evaluate()
    for start in (1, 2):
        masks = tmp_path / "masks" / "boxes" / f"00{start}"
        known = [read_ids(masks / f"{index:05d}.png").any() for index in range(5)]
        assert sum(known) == 4
        drawn = read_scribbles(tmp_path / "scribbles" / "boxes" / f"00{start}.json", 5)
        assert set(drawn.frames) == {f for entry in scores.samples[start - 1].rounds for f in entry.marked_frames}
    assert [(step.frames_done, step.num_frames) for step in progress] == [(5 * i, 40) for i in range(1, 9)]
    with pytest.raises(InputError, match="already holds results"):
        evaluate()
    assert evaluate(overwrite=True).j_and_f == scores.j_and_f


def test_a_sequence_as_a_clip():
    sequence = moving_boxes(num_frames=5)
    clip = sequence_clip(sequence)
    assert (clip.name, clip.size_hw, clip.num_frames, clip.shortfall) == ("boxes", SIZE_HW, 5, None)
    assert [frame.index for frame in clip.frames(1, 4, 2)] == [1, 3]
    assert [frame.index for frame in clip.backward(3, 1)] == [3, 2]
    np.testing.assert_array_equal(clip.frame(2).image, sequence.read_image(2))
    with pytest.raises(IndexError, match=r"frames 0\.\.4"):
        clip.frame(5)
