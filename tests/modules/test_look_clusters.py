"""Clusters of looks: planted ones are found, and drawn as often as they were seen."""

import io

import pytest
import torch
from torch import Tensor

from carsynth.modules.look_clusters import LookClusters, _assign, kmeans

PLANTED = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [-10.0, -10.0]])
SIZES = (10, 20, 30, 40)


def draw(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def planted_points(seed: int) -> Tensor:
    clouds = [
        centre + 0.5 * torch.randn(size, 2, generator=draw(seed + size))
        for centre, size in zip(PLANTED, SIZES, strict=True)
    ]
    return torch.cat(clouds)[torch.randperm(sum(SIZES), generator=draw(seed))]


def one_hot(part_map: Tensor, num_parts: int) -> Tensor:
    return torch.nn.functional.one_hot(part_map, num_parts).permute(0, 3, 1, 2).float()


@pytest.mark.parametrize("seed", range(5))
def test_planted_clusters_are_found(seed: int) -> None:
    points = planted_points(seed)
    centres, counts = kmeans(points, 4, draw(seed))
    order = counts.argsort()
    assert counts[order].tolist() == list(SIZES)
    assert (centres[order] - PLANTED).abs().max() < 0.5
    assert torch.allclose((centres * counts[:, None]).sum(0), points.sum(0), atol=1e-3)


def test_an_empty_cluster_takes_the_worst_point_of_a_shared_one() -> None:
    points = torch.tensor([[0.0], [0.1], [100.0]])
    # The point at 100 is the worst placed, yet alone with its centre at 90.
    assert _assign(points, torch.tensor([[0.0], [90.0], [1000.0]])).tolist() == [0, 2, 1]


def test_no_cluster_stays_empty() -> None:
    points = torch.cat([torch.zeros(50, 2), torch.ones(50, 2), torch.rand(8, 2, generator=draw())])
    centres, counts = kmeans(points, 9, draw())
    assert len(centres) == 9
    assert counts.min() > 0
    assert counts.sum() == len(points)


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([], {}),
        ([[1.0, 2.0]], {(1.0, 2.0): 1}),
        ([[1.0, 2.0]] * 5 + [[3.0, 4.0]] * 2, {(1.0, 2.0): 5, (3.0, 4.0): 2}),
    ],
)
def test_fewer_points_than_clusters(
    points: list[list[float]], expected: dict[tuple[float, ...], int]
) -> None:
    centres, counts = kmeans(torch.tensor(points).reshape(-1, 2), 10, draw())
    found = {tuple(c): n for c, n in zip(centres.tolist(), counts.tolist(), strict=True)}
    assert found == expected


def fitted() -> LookClusters:
    """Part 1: the planted clouds; part 2: one look; parts 0 and 3: never seen."""
    clusters = LookClusters(num_parts=4, clusters=4, channels=2)
    features = torch.cat([planted_points(0), torch.tensor([[5.0, 6.0]])])
    parts = torch.tensor([1] * sum(SIZES) + [2])
    shuffled = torch.randperm(len(parts), generator=draw(3))
    clusters.fit(features[shuffled].requires_grad_(), parts[shuffled], draw())
    return clusters


def test_every_part_has_its_own() -> None:
    clusters = fitted()
    assert clusters.counts.sum(1).tolist() == [0, sum(SIZES), 1, 0]
    assert sorted(clusters.counts[1].tolist()) == list(SIZES)
    assert not clusters.centres.requires_grad
    clusters.fit(torch.tensor([[1.0, 1.0]]), torch.tensor([3]), draw())
    assert clusters.counts.sum(1).tolist() == [0, 0, 0, 1]  # a second fit keeps nothing
    assert clusters.centres.count_nonzero() == 2


def test_one_look_spreads_over_a_part() -> None:
    clusters = fitted()
    part_map = torch.arange(4).repeat(6, 5, 2)  # (6, 5, 8): every part in every row
    looks = clusters.sample(one_hot(part_map, 4), draw())
    assert looks.shape == (6, 2, 5, 8)
    assert looks.dtype == torch.float32
    by_part = [looks.movedim(1, -1)[part_map == part].view(6, -1, 2) for part in range(4)]
    assert not by_part[0].any()
    assert not by_part[3].any()
    assert torch.equal(by_part[2], torch.tensor([5.0, 6.0]).expand(6, 10, 2))
    assert torch.equal(by_part[1], by_part[1][:, :1].expand(6, 10, 2))
    assert all((clusters.centres[1] == look).all(1).any() for look in by_part[1][:, 0])
    assert len(by_part[1][:, 0].unique(dim=0)) > 1  # pictures differ


def test_looks_are_drawn_as_often_as_they_were_seen() -> None:
    clusters = fitted()
    looks = clusters.sample(one_hot(torch.ones(4000, 1, 1, dtype=torch.int64), 4), draw())
    for centre, count in zip(clusters.centres[1], clusters.counts[1], strict=True):
        share = (looks.flatten(1) == centre).all(1).float().mean().item()
        assert share == pytest.approx(count.item() / sum(SIZES), abs=0.03)


def test_the_generator_decides() -> None:
    first, second = fitted(), fitted()
    assert torch.equal(first.centres, second.centres)
    grid = one_hot(torch.ones(16, 1, 1, dtype=torch.int64), 4)
    state = torch.get_rng_state()
    assert torch.equal(first.sample(grid, draw(7)), second.sample(grid, draw(7)))
    assert not torch.equal(first.sample(grid, draw(7)), first.sample(grid, draw(8)))
    assert torch.equal(torch.get_rng_state(), state)


def test_state_round_trip() -> None:
    clusters, buffer = fitted(), io.BytesIO()
    torch.save(clusters.state_dict(), buffer)
    buffer.seek(0)
    other = LookClusters(4, 4, 2)
    other.load_state_dict(torch.load(buffer, weights_only=True))
    assert torch.equal(other.centres, clusters.centres)
    assert torch.equal(other.counts, clusters.counts)


@pytest.mark.parametrize(
    ("features", "parts", "message"),
    [
        (torch.zeros(3, 5), torch.zeros(3, dtype=torch.int64), r"\(3, 5\)"),
        (torch.zeros(3, 2), torch.zeros(2, dtype=torch.int64), r"\(2,\)"),
        (torch.zeros(1, 2), torch.tensor([4]), "4 to 4"),
        (torch.zeros(1, 2), torch.tensor([-1]), "-1"),
        (torch.full((1, 2), float("nan")), torch.tensor([0]), "finite"),
    ],
)
def test_features_that_do_not_fit(features: Tensor, parts: Tensor, message: str) -> None:
    clusters = fitted()
    before = clusters.centres.clone()
    with pytest.raises(ValueError, match=message):
        clusters.fit(features, parts, draw())
    assert torch.equal(clusters.centres, before)
