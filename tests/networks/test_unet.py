"""The U-Net that paints: its range, its sizes, and outlines that go past the bottleneck."""

import pytest
import torch
from torch import Tensor

from carsynth.errors import UserError
from carsynth.networks.unet import UNetGenerator


@pytest.mark.parametrize("size", [(32, 48), (64, 32)])
def test_shapes_and_range(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    generator = UNetGenerator(5, width=4, levels=2)
    photo = generator(200 * torch.randn(2, 5, *size))
    assert photo.shape == (2, 3, *size)
    assert photo.abs().max() <= 1
    photo.sum().backward()
    assert all(p.grad is not None for p in generator.parameters())
    with torch.no_grad():
        generator.body.head.weight.mul_(100)
    extreme = generator(torch.randn(2, 5, *size))
    assert extreme.min() < -0.9
    assert 0.9 < extreme.max() <= 1


def test_sizes_are_held_against_squares_and_halvings() -> None:
    generator = UNetGenerator(5, width=4, levels=3)
    generator.check_size(32, 48)
    with pytest.raises(UserError, match=r"40x64 .*multiples of 16 .*32x64 or 48x64"):
        generator.check_size(40, 64)
    with pytest.raises(UserError, match="at least 32"):
        generator.check_size(16, 32)
    UNetGenerator(5, width=4, levels=1).check_size(12, 20)


def reach(generator: UNetGenerator) -> tuple[float, float]:
    """How much a photo changes where one pixel of the condition does: within 3 pixels of it, and 9
    to 16 pixels away."""
    condition = torch.randn(1, 5, 64, 64, generator=torch.Generator().manual_seed(1)).double()
    changed = condition.clone()
    changed[:, :, 35, 28] += 1
    with torch.no_grad():
        change = (generator(changed) - generator(condition)).abs().sum(1)[0]
    far = torch.maximum((torch.arange(64) - 35).abs()[:, None], (torch.arange(64) - 28).abs())
    return float(change[far <= 3].mean()), float(change[(far >= 9) & (far <= 16)].mean())


def test_skip_connections_carry_what_lies_at_a_pixel() -> None:
    torch.manual_seed(0)
    generator = UNetGenerator(5, width=8, levels=3).double().eval()
    near, away = reach(generator)
    assert near > 10 * away

    def blocked(_: object, given: tuple[Tensor]) -> tuple[Tensor]:
        below = 2 * given[0].shape[1] // 3  # what comes from below has twice the channels
        return (torch.cat([given[0][:, :below], 0 * given[0][:, below:]], dim=1),)

    for up in generator.body.ups:
        up.register_forward_pre_hook(blocked)
    near, away = reach(generator)
    assert near < 3 * away
