"""What a writer of masks is, and the rules every one keeps about places that already hold something."""

from __future__ import annotations

import os
import string
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from shibori.errors import InputError
from shibori.media.atomic import disk_errors, write_whole
from shibori.media.clip import Clip, Frame
from shibori.media.mask import FrameMasks
from shibori.media.picture import image_size
from shibori.media.sequence import trailing_number
from shibori.media.writer_options import PLAIN, WriterOptions

ONE_FILE_NAMES = {
    "rle": "masks.json",
    "overlay": "overlay.mp4",
    "sheet": "sheet.png",
    "prores": "cutout.mov",
    "webm": "cutout.webm",
    "ffv1": "cutout.mkv",
    "matte": "matte.mp4",
    "screen": "screen.mp4",
    "side-by-side": "side-by-side.mp4",
    "outline": "outline.mp4",
    "otio": "timeline",
    "coco": "coco.json",
    "youtube-vis": "youtube-vis.json",
    "cvat": "cvat.xml",
    "label-studio": "label-studio.json",
    "labelme": "labelme",
    "yolo": "yolo",
    "mots": "mots",
    "davis": "davis",
}
"""Names the formats of one file take in a folder; they may stand beside a folder's masks."""
KEPT_NAME = "masks.shibori"
"""The file of masks with their probabilities, from which other formats are made later."""
COMPANIONS = {*ONE_FILE_NAMES.values(), "tracks.json", KEPT_NAME}
"""Files of ours that a resumed run may find beside its masks."""

_TOKENS = ("clip", "object", "frame")


@dataclass(frozen=True)
class Target:
    """Where masks go and what they belong to."""

    out: Path
    clip: Clip
    object_ids: tuple[int, ...]
    resume: bool = False
    """Go on with what an interrupted run left."""
    overwrite: bool = False
    """Replace results that are there."""
    options: WriterOptions = PLAIN


def object_layer(object_id: int) -> str:
    """What an object's own layer or file is called."""
    return f"object{object_id}"


class MaskWriter(ABC):
    """Takes the masks of a clip frame by frame, in order.

    Use as a context manager. Every file appears whole or not at all, also when the process is killed.
    """

    done: set[int]
    """Indices of frames already on disk (``resume=True``); writing them again does nothing."""

    def write(self, frame: Frame, masks: FrameMasks) -> None:
        """Write the masks of one frame. InputError where the disk refuses (full, not writable)."""
        if frame.index not in self.done:
            self._write(frame, masks)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the format could not take along, in a sentence each; known once it is closed."""
        return ()

    @abstractmethod
    def _write(self, frame: Frame, masks: FrameMasks) -> None:
        """Write a frame that is not done."""

    @abstractmethod
    def close(self) -> None:
        """Finish: files that hold many frames appear now."""

    @abstractmethod
    def discard(self) -> None:
        """Leave without finishing, after an error: no half file stays, what can be resumed does."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close() if kind is None else self.discard()


class Naming:
    """Paths of the files of a sequence, from its folder.

    Args:
        clip: whose frames they are.
        folders: of objects, called by their ids; one without a name where all are in one file, or there is one object.
        suffix: of the files.
        pattern: such as ``{clip}/{object}.{frame:04d}``, without suffix; None: the frames' own names.
        number_from: number of the clip's first frame; None: the source's own numbers.

    Raises:
        InputError: an unknown token, no ``{frame}``, no ``{object}`` where it is needed, or a way out of the folder.
    """

    def __init__(
        self, clip: Clip, folders: tuple[str, ...], suffix: str, pattern: str | None, number_from: int | None
    ) -> None:
        self.clip, self.suffix, self.pattern, self.number_from = clip, suffix, pattern, number_from
        if number_from is not None and number_from < 0:
            raise InputError(f"expected --number-from of 0 or more, found {number_from}")
        if pattern is not None:
            _check_pattern(pattern, needs_object=folders != ("",))

    def path(self, index: int, folder: str = "") -> Path:
        """Of a frame, for the object that ``folder`` is called by."""
        if self.pattern is None:
            name = self.clip.frame_name(index) if self.number_from is None else f"{self.number(index):05d}"
            return Path(folder) / (name + self.suffix)
        name = self.pattern.format(clip=self.clip.name, object=folder or "all", frame=self.number(index))
        return Path(name + self.suffix)

    def number(self, index: int) -> int:
        """Of a frame: the digits at the end of its name in the source, unless numbers begin elsewhere."""
        if self.number_from is not None:
            return self.number_from + index
        return frame_number(self.clip, index)


def frame_number(clip: Clip, index: int) -> int:
    """The digits at the end of a frame's name; its index where there are none."""
    number = trailing_number(clip.frame_name(index))
    return index if number is None else number


def _check_pattern(pattern: str, needs_object: bool) -> None:
    try:
        used = {name for _, name, _, _ in string.Formatter().parse(pattern) if name is not None}
        shown = pattern.format(clip="clip", object="1", frame=1)
    except (ValueError, KeyError, IndexError) as error:
        raise InputError(f"expected a name such as {{clip}}.{{frame:04d}}, found {pattern!r}: {error}") from error
    unknown = used - set(_TOKENS)
    if unknown or "frame" not in used:
        raise InputError(f"expected a name with {{frame}}, and {{clip}} and {{object}} if you like, found {pattern!r}")
    if needs_object and "object" not in used:
        raise InputError(f"expected {{object}} in the name {pattern!r}: each object gets files of its own")
    if Path(shown).is_absolute() or ".." in Path(shown).parts:
        raise InputError(f"expected a name that stays in the output folder, found {pattern!r}")


class FolderWriter(MaskWriter):
    """A file for each frame, named like the source's frame or by the options; with several folders one in each."""

    suffix = ".png"

    def __init__(self, target: Target, folders: Sequence[str] = ("",)) -> None:
        self.target = target
        self.folders = tuple(folders)
        options = target.options
        self.naming = Naming(target.clip, self.folders, self.suffix, options.name, options.number_from)
        self.done, self._replaced = _prepared_folder(target, self.folders, self.naming)

    def write(self, frame: Frame, masks: FrameMasks) -> None:
        """See ``MaskWriter``. What an earlier run left goes only now: a run that fails before its first frame loses
        nothing.
        """
        while self._replaced:
            path = self._replaced.pop()
            with disk_errors(path):
                path.unlink(missing_ok=True)
        super().write(frame, masks)

    def _pictures(self, frame: Frame, masks: FrameMasks) -> Iterator[bytes]:
        """Content of the file in each of ``folders``; a format that writes otherwise has its own ``_write``."""
        raise NotImplementedError

    def _write(self, frame: Frame, masks: FrameMasks) -> None:
        for folder, data in zip(self.folders, self._pictures(frame, masks), strict=True):
            path = self.target.out / self.naming.path(frame.index, folder)
            if self.naming.pattern is not None:
                with disk_errors(path):
                    path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, data)

    def close(self) -> None:
        return

    def discard(self) -> None:
        return


def _prepared_folder(target: Target, folders: tuple[str, ...], naming: Naming) -> tuple[set[int], list[Path]]:
    """Make the folders ready; the frames whose files are all there already, and the files that are to be replaced."""
    out, clip = target.out, target.clip
    _refuse_source(out, clip)
    if out.exists() and not out.is_dir():
        raise InputError(f"the output {out} is a file, but a folder is needed for one picture a frame")
    paths = {index: [naming.path(index, folder) for folder in folders] for index in range(clip.num_frames)}
    with disk_errors(out):
        present = _visible_entries(out) if out.is_dir() else []
    if present and not (target.resume or target.overwrite):
        raise _holds_results(out, f"{len(present)} entries, such as {present[0]}")
    expected = {path.parts[0] for of_frame in paths.values() for path in of_frame}
    foreign = [name for name in present if name not in expected and name not in COMPANIONS]
    if target.resume and foreign:
        raise InputError(
            f"{out} cannot be resumed: it holds {foreign[0]}, which is no result of {clip.name}; choose another folder"
        )
    inner = {path.parent for of_frame in paths.values() for path in of_frame}
    for folder in sorted(inner):
        with disk_errors(out / folder):
            (out / folder).mkdir(parents=True, exist_ok=True)
            _try_to_write(out / folder)
    return _frames_in_all(target, paths)


def _frames_in_all(target: Target, paths: Mapping[int, Sequence[Path]]) -> tuple[set[int], list[Path]]:
    there = [(index, target.out / path) for index in paths for path in paths[index] if (target.out / path).is_file()]
    if target.overwrite and not target.resume:
        return set(), [path for _, path in there]
    checked: set[Path] = set()
    for _, path in there:
        if path.parent not in checked:
            checked.add(path.parent)
            _check_same_size(path, target.clip)
    found = Counter(index for index, _ in there)
    return {index for index in paths if found[index] == len(paths[index])}, []


def _check_same_size(path: Path, clip: Clip) -> None:
    size = image_size(path)
    if size != clip.size_hw:
        raise InputError(
            f"{path.parent} cannot be resumed: {path.name} is {size[1]}x{size[0]}, but the clip {clip.name} is "
            f"{clip.size_hw[1]}x{clip.size_hw[0]}"
        )


def one_file(target: Target, default_name: str) -> tuple[Path, bool]:
    """Path of a format's only file, and whether a resumed run finds it finished.

    ``target.out`` is the file itself where it ends in the same suffix, else a folder to hold ``default_name``.
    """
    given = target.out.suffix.lower() == Path(default_name).suffix and not target.out.is_dir()
    path = target.out if given else target.out / default_name
    _refuse_source(path, target.clip)
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _try_to_write(path.parent)
    if path.is_dir():
        raise InputError(f"{path} is a folder, but a file is to be written there")
    if path.exists() and not (target.resume or target.overwrite):
        raise _holds_results(path.parent, path.name)
    return path, path.exists() and target.resume


def one_folder(target: Target) -> tuple[Path, bool]:
    """The folder of a format that writes it at the end, and whether a resumed run finds something in it."""
    path = target.out
    _refuse_source(path, target.clip)
    with disk_errors(path):
        path.mkdir(parents=True, exist_ok=True)
        _try_to_write(path)
        present = _visible_entries(path)
    if present and not (target.resume or target.overwrite):
        raise _holds_results(path, f"{len(present)} entries, such as {present[0]}")
    return path, bool(present) and target.resume


def _refuse_source(out: Path, clip: Clip) -> None:
    if out.resolve() == clip.path.resolve():
        raise InputError(f"the output {out} is the clip itself: choose another place")


def _holds_results(place: Path, found: str) -> InputError:
    return InputError(
        f"{place} already holds results ({found}): choose another output, or give --resume to go on or --overwrite to "
        "replace them"
    )


def _visible_entries(folder: Path) -> list[str]:
    return sorted(entry.name for entry in os.scandir(folder) if not entry.name.startswith("."))


def _try_to_write(folder: Path) -> None:
    """OSError where no file can be made; clears what a killed run left half."""
    probe = folder / f".probe.{os.getpid()}.part"
    probe.write_bytes(b"")
    for partial in folder.glob(".*.part"):
        with suppress(OSError):
            partial.unlink()
