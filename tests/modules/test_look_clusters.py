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


def photos() -> Tensor:
    """Mean features of 100 photos, (100, 4, 2): in half of them parts 1 and 2 are near 0, in the
    others near 10; every fifth photo does not show part 2; none shows part 3."""
    colour = 10.0 * (torch.arange(100) % 2).float()
    means = colour[:, None, None] + 0.1 * torch.randn(100, 4, 2, generator=draw())
    means[::5, 2] = torch.nan
    means[:, 3] = torch.nan
    return means


def fitted() -> LookClusters:
    clusters = LookClusters(num_parts=4, clusters=2, channels=2)
    clusters.fit(photos().requires_grad_(), draw())
    return clusters


def test_every_part_has_its_own_centres() -> None:
    clusters = fitted()
    for part in (0, 1, 2):
        low, high = clusters.centres[part].sort(0)[0]
        assert low.abs().max() < 0.2
        assert (high - 10).abs().max() < 0.2
    assert not clusters.centres[3].any()
    assert not clusters.centres.requires_grad
    assert ((clusters.codes >= 0).any(1)).sum() == 100
    assert (clusters.codes[:, 2] >= 0).sum() == 80


def test_a_second_fit_keeps_nothing_of_the_first() -> None:
    clusters = fitted()
    means = torch.full((1, 4, 2), torch.nan)
    means[0, 3] = 1.0
    clusters.fit(means, draw())
    assert clusters.centres.count_nonzero() == 2
    assert (clusters.codes >= 0).sum() == 1


def test_parts_of_a_picture_take_looks_that_occurred_together() -> None:
    clusters = fitted()
    part_map = torch.arange(4).repeat(40, 5, 2)  # (40, 5, 8): every part in every row
    looks = clusters.sample(one_hot(part_map, 4), draw())
    assert looks.shape == (40, 2, 5, 8)
    by_part = [looks.movedim(1, -1)[part_map == part].view(40, -1, 2) for part in range(4)]
    assert not by_part[3].any()
    for part in (0, 1, 2):
        assert torch.equal(by_part[part], by_part[part][:, :1].expand(40, 10, 2))
    warm = [by_part[part][:, 0, 0] > 5 for part in (0, 1, 2)]
    assert torch.equal(warm[0], warm[1])
    assert torch.equal(warm[0], warm[2])
    assert 0 < int(warm[0].sum()) < 40


def test_a_part_that_the_leader_lacks_follows_a_photo_like_it() -> None:
    means = torch.full((4, 2, 1), torch.nan)
    means[:, 0, 0] = torch.tensor([0.0, 0.0, 10.0, 10.0])
    means[1, 1, 0] = 3.0
    means[3, 1, 0] = 7.0
    clusters = LookClusters(2, 2, 1)
    clusters.fit(means, draw())
    code_of = {float(c): i for i, c in enumerate(clusters.centres[0])}
    only_leader = clusters.codes[:4].clone()
    for colour, expected in ((0.0, 3.0), (10.0, 7.0)):
        rows = (only_leader[:, 0] == code_of[colour]) & (only_leader[:, 1] < 0)
        leaders_first = torch.cat([only_leader[rows], only_leader[~rows]])
        parts = torch.tensor([True, False])
        code = LookClusters._code(leaders_first, parts, 0.0)
        assert clusters.centres[1, code[1]].item() == expected


def test_the_generator_decides() -> None:
    first, second = fitted(), fitted()
    assert torch.equal(first.centres, second.centres)
    assert torch.equal(first.codes, second.codes)
    grid = one_hot(torch.ones(16, 1, 1, dtype=torch.int64), 4)
    state = torch.get_rng_state()
    assert torch.equal(first.sample(grid, draw(7)), second.sample(grid, draw(7)))
    assert not torch.equal(first.sample(grid, draw(7)), first.sample(grid, draw(8)))
    assert torch.equal(torch.get_rng_state(), state)


def test_nothing_is_drawn_before_the_first_fit() -> None:
    grid = one_hot(torch.ones(2, 1, 1, dtype=torch.int64), 4)
    assert not LookClusters(4, 2, 2).sample(grid, draw()).any()


def test_state_round_trip() -> None:
    clusters, buffer = fitted(), io.BytesIO()
    torch.save(clusters.state_dict(), buffer)
    buffer.seek(0)
    other = LookClusters(4, 2, 2)
    other.load_state_dict(torch.load(buffer, weights_only=True))
    assert torch.equal(other.centres, clusters.centres)
    assert torch.equal(other.codes, clusters.codes)


def test_means_that_do_not_fit() -> None:
    clusters = fitted()
    before = clusters.centres.clone()
    with pytest.raises(ValueError, match=r"\(3, 4, 5\)"):
        clusters.fit(torch.zeros(3, 4, 5), draw())
    assert torch.equal(clusters.centres, before)
