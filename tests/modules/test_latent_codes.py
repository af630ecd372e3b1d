"""Codes to draw from: they lie between near ones, and there may be any number of them."""

import io

import pytest
import torch
from torch import Tensor

from carsynth.errors import UserError
from carsynth.modules import latent_codes
from carsynth.modules.latent_codes import _BLOCK, LatentCodes


def draw(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def planted(count: int, latent: int = 6) -> Tensor:
    return torch.randn(count, latent, generator=draw(count))


def fitted(codes: Tensor, neighbours: int = 3) -> LatentCodes:
    stored = LatentCodes(neighbours, codes.shape[1])
    stored.fit(codes)
    return stored


def nearest_by_hand(codes: Tensor, count: int) -> list[set[int]]:
    """The nearest others of every code, one after the other and in float64."""
    found = []
    for index, code in enumerate(codes.double()):
        distances = [float((code - other).norm()) for other in codes.double()]
        order = sorted(range(len(codes)), key=distances.__getitem__)
        found.append(set([other for other in order if other != index][:count]))
    return found


def test_samples_lie_on_lines_from_a_code_to_one_of_its_nearest() -> None:
    codes = planted(20)
    samples = fitted(codes).sample(2000, draw()).double()
    lines = [(a, b) for a, near in enumerate(nearest_by_hand(codes, 3)) for b in near]
    start = codes[[a for a, _ in lines]].double()
    way = codes[[b for _, b in lines]].double() - start
    share = torch.einsum("slc,lc->sl", samples[:, None] - start, way) / way.square().sum(1)
    off = (samples[:, None] - start - share[:, :, None] * way).norm(dim=2)
    inside = (share > -1e-5) & (share < 1 + 1e-5)
    distance = off.where(inside, torch.inf)
    assert distance.min(1).values.max() < 1e-5
    line = distance.argmin(1)
    assert len(set(line.tolist())) > 0.9 * len({frozenset(pair) for pair in lines})
    # Evenly from end to end: each quarter of the way has about a quarter of the samples.
    quarters = torch.histc(share.gather(1, line[:, None]), 4, 0, 1) / 2000
    assert (quarters - 0.25).abs().max() < 0.05
    # and so on each single line that is gone one way only.
    one_way = [i for i, (a, b) in enumerate(lines) if (b, a) not in lines]
    assert len(one_way) > 5
    for index in one_way:
        own = share[line == index, index]
        assert own.min() < 0.3
        assert own.max() > 0.7
    # Every code is a start as often: a code has the samples of its own lines.
    few = fitted(codes, neighbours=1)
    starts = torch.cdist(few.sample(4000, draw()).double(), codes.double()).argmin(1)
    assert torch.bincount(starts, minlength=20).min() > 50


@pytest.mark.parametrize("count", [30, _BLOCK + 300])
def test_neighbours_are_those_of_brute_force(count: int) -> None:
    codes = planted(count, latent=3)
    nearest = fitted(codes, neighbours=4).nearest
    assert nearest.shape == (count, 4)
    distance = (codes[:, None].double() - codes.double()).norm(dim=2)
    distance.fill_diagonal_(torch.inf)
    found = distance.gather(1, nearest).sort(1).values
    torch.testing.assert_close(found, distance.sort(1).values[:, :4], rtol=0, atol=1e-5)
    assert not (nearest == torch.arange(count)[:, None]).any()


def test_a_code_is_no_neighbour_of_its_own_even_where_another_equals_it() -> None:
    codes = torch.tensor([[0.0, 0.0], [0.0, 0.0], [5.0, 0.0]])
    assert fitted(codes, neighbours=1).nearest[:2].tolist() == [[1], [0]]


def test_one_code_is_drawn_as_it_is() -> None:
    code = torch.tensor([[1.0, -2.0]])
    assert torch.equal(fitted(code).sample(5, draw()), code.expand(5, 2))


def test_two_codes_are_drawn_between() -> None:
    stored = fitted(torch.tensor([[0.0, 0.0], [4.0, 8.0]]))
    assert stored.nearest.tolist() == [[1], [0]]
    samples = stored.sample(200, draw())
    torch.testing.assert_close(samples[:, 1], 2 * samples[:, 0])
    assert samples[:, 0].min() < 0.5
    assert samples[:, 0].max() > 3.5
    assert ((samples[:, 0] >= 0) & (samples[:, 0] <= 4)).all()


def test_without_codes_nothing_is_drawn() -> None:
    with pytest.raises(UserError, match="no codes of training maps yet"):
        LatentCodes(3, 4).sample(1, draw())


def test_of_too_many_codes_evenly_chosen_ones_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latent_codes, "MOST", 5)
    codes = planted(17)
    assert torch.equal(fitted(codes).codes, codes[[0, 4, 8, 12, 16]])
    assert torch.equal(fitted(codes[:5]).codes, codes[:5])


def test_a_second_fit_keeps_nothing_of_the_first() -> None:
    stored = fitted(planted(20))
    stored.fit(planted(7).requires_grad_())
    assert torch.equal(stored.codes, planted(7))
    assert not stored.codes.requires_grad
    assert stored.nearest.shape == (7, 3)
    assert stored.nearest.max() < 7


def test_the_generator_decides() -> None:
    stored = fitted(planted(20))
    state = torch.get_rng_state()
    assert torch.equal(stored.sample(9, draw(1)), stored.sample(9, draw(1)))
    assert not torch.equal(stored.sample(9, draw(1)), stored.sample(9, draw(2)))
    assert torch.equal(torch.get_rng_state(), state)
    # A longer draw begins with the shorter one.
    assert torch.equal(stored.sample(40, draw(1))[:9], stored.sample(9, draw(1)))


@pytest.mark.parametrize(("before", "after"), [(0, 20), (20, 5), (5, 0), (20, 20)])
def test_any_number_of_codes_is_loaded(before: int, after: int) -> None:
    kept, buffer = LatentCodes(3, 6) if after == 0 else fitted(planted(after)), io.BytesIO()
    torch.save(kept.state_dict(), buffer)
    buffer.seek(0)
    other = LatentCodes(3, 6) if before == 0 else fitted(planted(before) + 1)
    other.load_state_dict(torch.load(buffer, weights_only=True))
    assert torch.equal(other.codes, kept.codes)
    assert torch.equal(other.nearest, kept.nearest)
    if after:
        assert torch.equal(other.sample(8, draw()), kept.sample(8, draw()))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_module_of_another_type_draws_too(dtype: torch.dtype) -> None:
    samples = fitted(planted(20)).to(dtype).sample(8, draw())
    assert samples.dtype == torch.float32
    torch.testing.assert_close(samples, fitted(planted(20)).sample(8, draw()), rtol=0, atol=2e-2)
