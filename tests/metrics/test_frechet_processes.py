"""Two processes with features of 12 dimensions: up to 12 pictures are held, more are summed."""

import math
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from carsynth.errors import UserError
from carsynth.metrics.frechet import FrechetDistance
from tests.metrics.tiny_extractor import TinyExtractor, pictures


class Share(NamedTuple):
    """Pictures of both processes, and how many of them the first one sees."""

    reals: int
    of_reals: int
    fakes: int
    of_fakes: int


SHARES = {
    "both hold": Share(23, 12, 19, 8),
    "both hold few": Share(9, 5, 7, 4),
    "one holds, the other sums": Share(23, 6, 31, 30),
    "both sum": Share(60, 40, 31, 16),
    "one has none": Share(10, 10, 11, 11),
    "one has none, the other sums": Share(40, 0, 35, 0),
    "real here, generated there": Share(20, 20, 21, 0),
}


class Results(NamedTuple):
    scores: list[float]
    real: torch.Tensor
    fake: torch.Tensor


def epochs(share: Share, rank: int, world: int) -> Results:
    """Three validations; before the last, the first process alone sees more real pictures."""
    metric = FrechetDistance(TinyExtractor(), keep_features=True)

    def update(count: int, of_first: int, seed: int, real: bool) -> None:
        own = slice(None) if world == 1 else [slice(of_first), slice(of_first, None)][rank]
        for part in pictures(count, seed, low=0 if real else 80)[own].split(7):
            if len(part):
                metric.update(part if real else part / 127.5 - 1.0, real=real)

    scores = []
    for epoch in range(3):
        metric.reset()
        if epoch == 0:
            update(share.reals, share.of_reals, 0, True)
        if epoch == 2:
            update(5, 5, 1, True)
        update(share.fakes, share.of_fakes, 2 + epoch, False)
        scores.append(metric.compute())
    return Results(scores, metric.real_features(), metric.fake_features())


def broken(rank: int) -> list[str]:
    """What both are told where the second process alone has broken pictures."""
    metric = FrechetDistance(TinyExtractor())
    metric.update(pictures(5, rank), real=True)
    fakes = pictures(5, rank) / 127.5 - 1.0
    metric.update(fakes if rank == 0 else fakes * math.nan, real=False)
    told = [str(metric.compute())]
    metric.update_features(torch.full((2, 12), math.nan if rank == 1 else 1.0), real=True)
    try:
        metric.compute()
    except UserError as error:
        told.append(str(error))
    return told


def process(rank: int, folder: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    results = {name: tuple(epochs(share, rank, 2)) for name, share in SHARES.items()}
    torch.save((results, broken(rank)), f"{folder}/{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_processes_equal_one(tmp_path: Path) -> None:
    mp.spawn(process, (str(tmp_path),), nprocs=2)
    of_both = [torch.load(tmp_path / f"{rank}.pt") for rank in range(2)]
    for name, share in SHARES.items():
        expected = epochs(share, 0, 1)
        assert len(set(expected.scores)) == 3, name
        (scores, *_), (others, *_) = (results[name] for results, _ in of_both)
        assert scores == others, name
        assert scores == pytest.approx(expected.scores, rel=1e-6), name
        for results, _ in of_both:
            _, real, fake = results[name]
            assert real.shape == (share.reals + 5, 12), name
            assert fake.shape == (share.fakes, 12), name
            assert real.sum(0) == pytest.approx(expected.real.sum(0), rel=1e-5), name
            assert fake.sum(0) == pytest.approx(expected.fake.sum(0), rel=1e-5), name
    for _, (score, error) in of_both:
        assert score == "inf"
        assert error.startswith("the features of 2 of 14 real pictures are not finite")
