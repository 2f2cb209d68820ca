"""``shibori segment --keep-soft`` and ``shibori export``."""

from __future__ import annotations

import json

from shibori.media.kept_masks import KeptMasks
from shibori.media.mask import read_ids

RUN = "segment clip.mp4 --mask first.png --out run --keep-soft"


def test_kept_masks_stand_beside_the_masks(shibori, place, fake_system):
    result = shibori(f"{RUN} --json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["outputs"] == ["run", "run/masks.shibori"]
    kept = KeptMasks("run/masks.shibori")
    for index in range(12):
        masks = kept.masks(index)
        assert masks is not None
        assert (masks.ids == read_ids(f"run/{index:05d}.png")).all()
    assert shibori(f"{RUN} --resume").exit_code == 0
    assert shibori(RUN).exit_code == 2


def test_beside_one_file(shibori, place, fake_system):
    result = shibori("segment clip.mp4 --mask first.png --out seen.mp4 --format overlay --keep-soft")
    assert result.exit_code == 0, result.stderr
    assert KeptMasks("seen.shibori").frames == list(range(12))


def test_export_says_what_it_wrote(shibori, place, fake_system):
    shibori(RUN)
    result = shibori("export run --clip clip.mp4 --out cut.mov --format prores --objects 2")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines()[0].startswith("12 frames, 1 object")
    assert (place / "cut.mov").stat().st_size > 1000
    assert json.loads(shibori("export run --clip clip.mp4 --out ids --json").stdout)["frames"] == 12


def test_wrong_input_is_a_sentence(shibori, place, fake_system):
    result = shibori("export run --clip clip.mp4 --out out")
    assert (result.exit_code, result.stderr) == (2, "shibori: there is no file or folder run\n")
