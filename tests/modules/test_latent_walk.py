"""Arcs between latents."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from carsynth.modules.latent_walk import spherical


def test_a_quarter_turn_by_hand() -> None:
    way = spherical(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 2.0]), 3)
    diagonal = 1.5 * 0.5**0.5  # lengths change evenly
    torch.testing.assert_close(way, torch.tensor([[1.0, 0.0], [diagonal, diagonal], [0.0, 2.0]]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equal_turns_and_even_lengths(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    start, end = torch.randn(2, 100, dtype=dtype)
    end = 3 * end
    way = spherical(start, end, 9)
    assert (way.dtype, way.shape) == (dtype, (9, 100))
    torch.testing.assert_close(way[0], start)
    torch.testing.assert_close(way[-1], end)
    turns = F.cosine_similarity(way[1:], way[:-1]).double().arccos()
    torch.testing.assert_close(turns, turns[:1].expand(8), rtol=1e-3, atol=0)
    whole = F.cosine_similarity(start, end, dim=0).double().arccos()
    assert turns.sum().item() == pytest.approx(whole.item(), rel=1e-3)
    lengths = way.norm(dim=1)
    torch.testing.assert_close(lengths, torch.linspace(start.norm(), end.norm(), 9, dtype=dtype))


@pytest.mark.parametrize("factor", [1.0, 2.5, -1.0])
def test_the_same_or_the_opposite_direction_is_a_straight_line(factor: float) -> None:
    start = torch.tensor([3.0, 0.0, 4.0])
    way = spherical(start, factor * start, 5)
    expected = torch.stack([start + share / 4 * (factor - 1) * start for share in range(5)])
    torch.testing.assert_close(way, expected)


def ends() -> tuple[Tensor, Tensor]:
    torch.manual_seed(3)
    return torch.randn(50), torch.randn(50)


def test_nearly_parallel_latents_stay_finite() -> None:
    start, other = ends()
    for end in (start, start + 1e-5 * other, -start + 1e-5 * other):
        way = spherical(start, end, 7)
        assert way.isfinite().all()
        torch.testing.assert_close(way[0], start, atol=1e-4, rtol=0)
        torch.testing.assert_close(way[-1], end, atol=1e-4, rtol=0)
        assert (way.norm(dim=1) < 1.01 * start.norm()).all()


def test_a_walk_back_is_the_walk_reversed() -> None:
    start, end = ends()
    torch.testing.assert_close(spherical(end, start, 6), spherical(start, end, 6).flip(0))
