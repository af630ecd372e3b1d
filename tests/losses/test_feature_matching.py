"""Feature matching against pix2pixHD's weights, worked out by hand."""

import pytest
import torch
from torch import Tensor

from carsynth.losses.terms import feature_matching


def level(value: float, channels: int = 1) -> Tensor:
    return torch.full((2, channels, 3, 4), value, dtype=torch.float64)


def test_one_published_patchgan_weighs_each_of_its_four_maps_one() -> None:
    real = [[level(0.0), level(0.0, 2), level(0.0, 4), level(0.0, 4), level(0.0)]]
    fake = [[level(1.0), level(-2.0, 2), level(3.0, 4), level(0.5, 4), level(100.0)]]
    assert feature_matching(real, fake).item() == pytest.approx(1 + 2 + 3 + 0.5)


def test_scales_and_depths() -> None:
    real = [[level(1.0), level(1.0), level(0.0)], [level(0.0), level(0.0)]]
    fake = [[level(2.0), level(4.0), level(9.0)], [level(5.0), level(9.0)]]
    # first: two maps, weight 4/2, (1 + 3); second: one map, weight 4/1, 5; each scale counts half
    assert feature_matching(real, fake).item() == pytest.approx(0.5 * 2 * 4 + 0.5 * 4 * 5)


def test_the_gradient_is_the_fakes_alone() -> None:
    real = [[level(1.0).requires_grad_(), level(0.0).requires_grad_()]]
    fake = [[level(0.0).requires_grad_(), level(0.0).requires_grad_()]]
    feature_matching(real, fake).backward()
    assert real[0][0].grad is None
    assert fake[0][1].grad is None  # logits
    gradient = fake[0][0].grad
    assert gradient is not None
    assert gradient.unique().item() == pytest.approx(-4 / gradient.numel())  # towards the real


def test_lists_that_do_not_match() -> None:
    with pytest.raises(ValueError):
        feature_matching([[level(0.0), level(0.0)]], [])
    with pytest.raises(ValueError, match="got 3 and 2"):
        feature_matching([[level(0.0)] * 3], [[level(0.0)] * 2])
    with pytest.raises(ValueError, match="before the logits"):
        feature_matching([[level(0.0)]], [[level(0.0)]])


def test_one_graph() -> None:
    real, fake = [[level(0.0), level(0.0)]] * 2, [[level(1.0), level(7.0)]] * 2
    compiled = torch.compile(feature_matching, backend="eager", fullgraph=True)
    assert compiled(real, fake).item() == pytest.approx(4.0)
