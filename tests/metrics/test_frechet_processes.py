from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from carsynth.metrics.floor import split_half_floor
from carsynth.metrics.frechet import FrechetDistance
from tests.metrics.tiny_extractor import TinyExtractor, pictures

REALS, FAKES = (23, 0), (19, 2)
"""Real pictures of both processes and the seed; generated ones."""


def _epochs(metric: FrechetDistance, rank: int, world: int, skewed: bool) -> list[float]:
    """Two validations, each process with its share: every other picture, or all on the first."""
    own = slice(rank, None, world)
    if skewed:
        own = slice(None) if rank == 0 else slice(0, 0)
    results = []
    for epoch in range(2):
        metric.reset()
        if epoch == 0 and len(reals := pictures(*REALS)[own]):
            metric.update(reals, real=True)
        count, seed = FAKES
        if len(fakes := pictures(count, seed + epoch, low=80)[own]):
            metric.update(fakes / 127.5 - 1.0, real=False)
        results.append(metric.compute())
    return results


def _process(rank: int, folder: str, skewed: bool) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    metric = FrechetDistance(TinyExtractor())
    results = _epochs(metric, rank, 2, skewed)
    features = metric.real_features()
    torch.save((results, features), f"{folder}/{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.slow
@pytest.mark.parametrize("skewed", [False, True], ids=["12 and 11", "23 and none"])
def test_two_processes_equal_one(tmp_path: Path, skewed: bool) -> None:
    mp.spawn(_process, (str(tmp_path), skewed), nprocs=2)
    metric = FrechetDistance(TinyExtractor())
    expected = _epochs(metric, 0, 1, False)
    assert expected[0] != expected[1]
    for rank in range(2):
        results, features = torch.load(tmp_path / f"{rank}.pt")
        assert results == pytest.approx(expected, rel=1e-9)
        assert len(features) == 23
        assert features.sum(0) == pytest.approx(metric.real_features().sum(0), rel=1e-5)
        floor = split_half_floor(features)
        assert floor is not None
        assert floor.half == 11
