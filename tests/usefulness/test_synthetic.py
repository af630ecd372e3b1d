import json
from pathlib import Path

import numpy as np
import pytest

from carsynth.errors import UserError
from carsynth.labels import PART_ID
from carsynth.usefulness_study.plan import counts_that_exist
from carsynth.usefulness_study.synthetic import synthetic_folder
from tests.data.cars import noise, save


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(3):
        save(noise(16, 16, number), tmp_path / "photos" / f"{number}.png")
        mask = np.full((16, 16), PART_ID["wheel"], np.uint8)
        save(mask, tmp_path / "masks" / f"{number}.png")
    return tmp_path


def test_a_manifest_tells_what_the_generator_saw_at_any_depth(folder: Path) -> None:
    told = {"models": [{"config": {"labelled_pictures": ["a", "b"]}}], "pretraining": "toycars"}
    (folder / "manifest.json").write_text(json.dumps(told))
    found = synthetic_folder(folder)
    assert (found.saw, found.pretraining) == ({"a", "b"}, "toycars")
    assert len(found.source.names) == 3
    said = synthetic_folder(folder, frozenset({"c"}), "nothing")
    assert (said.saw, said.pretraining) == ({"c"}, "nothing")


def test_without_a_manifest_nothing_is_known(folder: Path) -> None:
    found = synthetic_folder(folder)
    assert (found.saw, found.pretraining) == (None, None)


def test_a_folder_without_photos_or_masks_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such does not exist"):
        synthetic_folder(tmp_path / "no such")
    (folder / "masks").rename(folder / "elsewhere")
    with pytest.raises(UserError, match="has no folder masks"):
        synthetic_folder(folder)
    (folder / "masks").mkdir()
    with pytest.raises(UserError, match="holds no picture"):
        synthetic_folder(folder)


def test_a_broken_manifest_is_refused(folder: Path) -> None:
    (folder / "provenance.json").write_text("{")
    with pytest.raises(UserError, match="no readable JSON"):
        synthetic_folder(folder)


def test_counts_of_real_pictures() -> None:
    assert counts_that_exist(None, 320) == [25, 50, 100]
    assert counts_that_exist(None, 400) == [25, 50, 100, 400]
    assert counts_that_exist([30, 10, 30], 30) == [10, 30]
    with pytest.raises(UserError, match=r"has 320 real pictures, fewer than 400"):
        counts_that_exist([25, 400], 320)
    with pytest.raises(UserError, match=r"real_counts=\[20\]"):
        counts_that_exist(None, 20)
