"""What might be a missing object: of every stretch of a clip, the proposals that are most like it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from torch import Tensor

from shibori.systems.dyenet.search import Proposal

MAX_STRETCHES = 256
"""A clip has at most so many stretches, so what is kept does not grow with its length."""
KEPT = 3
"""Most candidates of one object in one stretch."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """A proposal of a frame."""

    frame: int
    proposal: Proposal


@dataclass
class CandidatePool:
    """The candidates of all objects of a clip."""

    num_frames: int
    kept: dict[int, dict[int, list[tuple[float, Candidate]]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    """object_id -> number of the stretch -> similarity when it was put in, and candidate, best first."""

    @property
    def stretch(self) -> int:
        """Frames of a stretch."""
        return -(-self.num_frames // MAX_STRETCHES)

    def put(self, object_id: int, frame: int, proposals: Sequence[Proposal], similarity: Tensor) -> None:
        """Keep those of a frame that are among the most similar of its stretch.

        Args:
            object_id: whose candidates they are.
            frame: where they were seen.
            proposals: K of them.
            similarity: (K,) to the object.
        """
        best = self.kept[object_id][frame // self.stretch]
        for index in similarity.argsort(descending=True)[:KEPT].tolist():
            if len(best) == KEPT and float(similarity[index]) <= best[-1][0]:
                break
            # Copies: else each would keep all that was proposed in its frame.
            proposal = proposals[index]
            own = replace(proposal, mask=proposal.mask.copy(), vector=proposal.vector.clone())
            best.append((float(similarity[index]), Candidate(frame, own)))
            best.sort(key=lambda entry: -entry[0])
            del best[KEPT:]

    def of(self, object_id: int) -> list[Candidate]:
        """All that are kept of an object, in no order of worth."""
        return [candidate for entries in self.kept[object_id].values() for _, candidate in entries]

    def ranked(self, object_id: int) -> list[tuple[float, Candidate]]:
        """All that are kept of an object with their similarity when they were put in, the most similar first."""
        entries = [entry for stretch in self.kept[object_id].values() for entry in stretch]
        return sorted(entries, key=lambda entry: (-entry[0], entry[1].frame))
