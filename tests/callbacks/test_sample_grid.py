from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from carsynth.callbacks.generation_metrics import GenerationMetrics
from carsynth.callbacks.sample_grid import SampleGrid, _Sample, draw_grid
from carsynth.labels import PALETTE
from carsynth.metrics.pixels import to_uint8
from tests.callbacks.tiny_players import (
    HEIGHT,
    WIDTH,
    TinyData,
    TinyMetric,
    make_trainer,
    seeded_players,
)

SCALE = 7
"""Cells of 20 pixels' width are magnified to the first multiple from 128 on."""


def cell(picture: Image.Image, row: int, column: int, scale: int = SCALE) -> np.ndarray:
    """One cell at its own resolution, read from the middle of each magnified pixel."""
    left = column * (WIDTH * scale + 4)
    top = 20 + row * (HEIGHT * scale + 4)
    pixels = np.asarray(picture)[top : top + HEIGHT * scale, left : left + WIDTH * scale]
    middle = scale // 2
    return pixels[middle::scale, middle::scale]


def test_each_validation_leaves_map_generated_and_real_of_the_same_samples(tmp_path: Path) -> None:
    module, data = seeded_players(), TinyData()
    callbacks = [SampleGrid(num_samples=5), GenerationMetrics(TinyMetric())]
    make_trainer(tmp_path, callbacks, max_epochs=2).fit(module, data)
    names = sorted(path.name for path in (tmp_path / "samples").iterdir())
    assert names == ["epoch_0000.png", "epoch_0001.png"]
    grids = [Image.open(tmp_path / "samples" / name) for name in names]
    samples = data.samples(1)[:5]
    for grid in grids:
        assert grid.size == (3 * WIDTH * SCALE + 8, 20 + 5 * HEIGHT * SCALE + 16)
        for row, sample in enumerate(samples):
            assert np.array_equal(cell(grid, row, 0), PALETTE[sample.part_map.numpy()])
            assert np.array_equal(cell(grid, row, 2), sample.photo.permute(1, 2, 0).numpy())
    batch = type(samples[0])(*(part[None] for part in samples[4]))
    generated = to_uint8(module.generate(batch))[0].permute(1, 2, 0).numpy()
    last = cell(grids[1], 4, 1).astype(int)
    assert abs(last - generated.astype(int)).max() <= 1, "the last epoch's weights"
    assert not np.array_equal(cell(grids[0], 4, 1), cell(grids[1], 4, 1))


def test_less_samples_than_asked_for_make_a_shorter_grid(tmp_path: Path) -> None:
    callbacks = [SampleGrid(num_samples=50), GenerationMetrics(TinyMetric())]
    make_trainer(tmp_path, callbacks, max_epochs=1).fit(seeded_players(), TinyData(val=3))
    grid = Image.open(tmp_path / "samples" / "epoch_0000.png")
    assert grid.height == 20 + 3 * HEIGHT * SCALE + 8


@pytest.mark.parametrize(("width", "cells"), [(20, 140), (127, 254), (128, 128), (300, 300)])
def test_only_small_photos_are_magnified(width: int, cells: int) -> None:
    blank = np.zeros((HEIGHT, width, 3), np.uint8)
    sample = _Sample(np.zeros((HEIGHT, width), np.int64), blank, blank)
    grid = draw_grid([sample])
    assert grid.width == 3 * cells + 8
    banner = np.asarray(grid)[:20]
    for column in range(3):
        left = column * (cells + 4)
        assert (banner[:, left : left + cells] < 128).any(), "a caption above each column"
