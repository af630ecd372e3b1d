"""The map autoencoder: every layer's shape, and three ways through it that agree."""

import pytest
import torch
from torch import Tensor, nn

from carsynth.errors import UserError
from carsynth.networks.map_autoencoder import MapAutoencoder

PARTS = 5


def one_hot(count: int, size: tuple[int, int], seed: int = 0) -> Tensor:
    draws = torch.Generator().manual_seed(seed)
    part_map = torch.randint(PARTS, (count, *size), generator=draws)
    return torch.nn.functional.one_hot(part_map, PARTS).movedim(3, 1).float()


@pytest.mark.parametrize(
    ("size", "levels"),
    [
        ((64, 64), [(8, 32, 32), (16, 16, 16), (32, 8, 8), (32, 4, 4)]),
        ((128, 128), [(8, 64, 64), (16, 32, 32), (32, 16, 16), (32, 8, 8), (32, 4, 4)]),
        ((128, 224), [(8, 64, 112), (16, 32, 56), (32, 16, 28), (32, 8, 14), (32, 4, 7)]),
        ((8, 8), [(8, 4, 4)]),
    ],
)
def test_every_layer_has_its_shape(
    size: tuple[int, int], levels: list[tuple[int, int, int]]
) -> None:
    network = MapAutoencoder(PARTS, size, latent=6, width=8)
    made: list[tuple[int, ...]] = []
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(lambda _, __, out: made.append(tuple(out.shape[1:])))
    mean, log_variance = network.encode(one_hot(2, size))
    assert mean.shape == log_variance.shape == (2, 6)
    assert made == [*levels, (12,)]
    made.clear()
    assert network.decode(mean).shape == (2, PARTS, *size)
    channels, height, width = levels[-1]
    up = [shape for level in reversed(levels[:-1]) for shape in (level, level)]
    assert made == [(channels * height * width,), *up, (PARTS * 4, *levels[0][1:])]


@pytest.mark.parametrize(("size", "near"), [((66, 64), "64x64"), ((6, 8), "8x8")])
def test_a_size_that_doubling_does_not_reach_is_a_mistake(size: tuple[int, int], near: str) -> None:
    with pytest.raises(UserError, match=f"size {size[0]}x{size[1]} .*{near}") as caught:
        MapAutoencoder(PARTS, size)
    assert "\n" not in str(caught.value)


def test_forward_decodes_a_code_drawn_by_the_noise() -> None:
    torch.manual_seed(0)
    network = MapAutoencoder(PARTS, (32, 48), latent=6, width=4).double().eval()
    maps, noise = one_hot(3, (32, 48)).double(), torch.randn(3, 6, dtype=torch.float64)
    mean, log_variance = network.encode(maps)
    logits, posterior = network(maps, noise)
    torch.testing.assert_close(posterior, network.encode(maps))
    deviation = torch.sqrt(torch.exp(log_variance))
    torch.testing.assert_close(logits, network.decode(mean + deviation * noise))
    torch.testing.assert_close(network(maps, 0 * noise)[0], network.decode(mean))
    assert (logits - network.decode(mean)).abs().max() > 1e-3


def test_the_variance_stays_within_what_exponentials_bear() -> None:
    network = MapAutoencoder(PARTS, (16, 16), latent=2, width=4)
    last = network.encoder[-1]
    assert isinstance(last, nn.Linear)
    with torch.no_grad():
        last.weight.zero_()
        last.bias.copy_(torch.tensor([50.0, -50.0, 50.0, -50.0]))
    mean, log_variance = network.encode(one_hot(1, (16, 16)))
    assert mean.tolist() == [[50.0, -50.0]]
    assert log_variance.tolist() == [[4.0, -8.0]]


def test_every_weight_learns() -> None:
    network = MapAutoencoder(PARTS, (32, 32), latent=6, width=4)
    logits, posterior = network(one_hot(3, (32, 32)), torch.randn(3, 6))
    (logits.square().mean() + posterior.mean.square().mean()).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name
