"""Index folders, read back as paired folders."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from carsynth.data.folders import PairedFolders
from carsynth.export.index_folders import export_index_folders
from carsynth.labels import NUM_PARTS, PALETTE
from tests.export.pictures import PROVENANCE, plain, toy_pictures


@pytest.mark.parametrize("mask_format", ["auto", "ids", "colours"])
def test_paired_folders_read_the_same_ids(tmp_path: Path, mask_format: str) -> None:
    size = (64, 112)
    pictures = list(toy_pictures(6, size))
    assert export_index_folders(pictures, tmp_path / "set", PROVENANCE) == 6
    folders = (tmp_path / "set" / "photos", tmp_path / "set" / "masks")
    source = PairedFolders(*folders, mask_format=mask_format)
    assert source.names == tuple(picture.name for picture in pictures)
    for index, picture in enumerate(pictures):
        sample = source.read(index, size)
        np.testing.assert_array_equal(sample.part_map, picture.part_map)
        np.testing.assert_array_equal(sample.photo, picture.photo)


def test_masks_are_palette_pictures_of_ids(tmp_path: Path) -> None:
    ids = np.arange(NUM_PARTS, dtype=np.uint8).reshape(4, 5)
    export_index_folders([plain("all", ids)], tmp_path / "set", PROVENANCE)
    with Image.open(tmp_path / "set" / "masks" / "all.png") as mask:
        assert mask.mode == "P"
        np.testing.assert_array_equal(mask, ids)
        np.testing.assert_array_equal(mask.convert("RGB"), PALETTE[ids])
