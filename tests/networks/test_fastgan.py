"""FastGAN's networks: shapes, joins across four doublings, redrawing, noise."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from carsynth.networks.fastgan import (
    FastDiscriminator,
    FastGenerator,
    SkipExcitation,
    _Noise,
    resized_to,
)
from carsynth.networks.heads import ProjectionHead

SIZES = [(64, 64), (128, 128), (64, 112), (128, 224)]


def maps_of(generator: FastGenerator) -> list[tuple[int, ...]]:
    """Fills up with the first map's and every doubling's shape as the generator runs."""
    seen: list[tuple[int, ...]] = []
    for module in (generator.first, *generator.levels):
        module.register_forward_hook(lambda _, __, out: seen.append(tuple(out.shape[1:])))
    return seen


@pytest.mark.parametrize("size", SIZES)
def test_shapes(size: tuple[int, int]) -> None:
    generator, judge = FastGenerator(3, size, 16, width=4), FastDiscriminator(3, size, width=4)
    maps = maps_of(generator)
    with torch.no_grad():
        picture = generator(torch.randn(2, 16))
        judged = judge(picture)
    assert picture.shape == (2, 3, *size)
    assert judged.logits.shape == (2,)
    assert judged.classes is None
    times = {64: 4, 128: 5}[size[0]]
    channels = {4: [64, 32, 16, 8, 4], 5: [64, 64, 32, 16, 8, 4]}[times]
    assert maps == [
        (c, size[0] >> (times - level), size[1] >> (times - level))
        for level, c in enumerate(channels)
    ]
    last = (size[0] >> (times - 1), size[1] >> (times - 1))
    widest = {4: 16, 5: 32}[times]
    assert judged.features.shape == (2, widest * last[0] * last[1])
    assert min(last) == 8


@pytest.mark.parametrize("size", [(8, 8), (16, 24), (32, 32)])
def test_small_pictures_have_nothing_to_join(size: tuple[int, int]) -> None:
    generator, judge = FastGenerator(3, size, 16, width=4), FastDiscriminator(3, size, width=4)
    picture = generator(torch.randn(2, 16))
    assert picture.shape == (2, 3, *size)
    assert len(generator.excitations) == 0
    redrawn = judge.redraw(judge(picture).features)
    assert redrawn.shape == picture.shape


@pytest.mark.parametrize("size", [*SIZES, (256, 256)])
def test_excitation_joins_maps_four_doublings_apart(size: tuple[int, int]) -> None:
    generator = FastGenerator(3, size, 16, width=2)
    joined: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
    for module in generator.modules():
        if isinstance(module, SkipExcitation):
            module.register_forward_pre_hook(
                lambda _, maps: joined.append((tuple(maps[0].shape[2:]), tuple(maps[1].shape[2:])))
            )
    with torch.no_grad():
        generator(torch.randn(2, 16))
    assert len(joined) == {64: 1, 128: 2, 256: 3}[size[0]]
    for small, large in joined:
        assert (16 * small[0], 16 * small[1]) == large
    assert joined[-1][1] == size


def test_excitation_weighs_channels_between_nothing_and_all() -> None:
    torch.manual_seed(0)
    block = SkipExcitation(6, 3).eval()
    small, large = torch.randn(2, 6, 4, 7), torch.randn(2, 3, 64, 112)
    shares = block(small, large) / large
    torch.testing.assert_close(shares, shares[:, :, :1, :1].expand_as(shares))
    assert ((shares > 0) & (shares < 1)).all()
    assert not torch.allclose(shares[0, :, 0, 0], shares[1, :, 0, 0], atol=1e-4)


@pytest.mark.parametrize(
    ("size", "redrawn"),
    [
        ((64, 64), (64, 64)),
        ((128, 128), (64, 64)),
        ((64, 112), (64, 112)),
        ((128, 224), (64, 112)),
        ((576, 768), (144, 192)),
    ],
)
def test_redrawing(size: tuple[int, int], redrawn: tuple[int, int]) -> None:
    judge = FastDiscriminator(5, size, width=2)
    with torch.no_grad():
        features = judge.features(torch.randn(2, 5, *size))
        assert judge.redraw(features).shape == (2, 5, *redrawn)


def test_redrawing_tells_every_weight_and_the_pictures_features() -> None:
    torch.manual_seed(0)
    judge = FastDiscriminator(3, (64, 64), width=4)
    x = torch.randn(2, 3, 64, 64, requires_grad=True)
    judge.redraw(judge.features(x)).square().sum().backward()
    assert x.grad is not None
    assert (x.grad != 0).any()
    resting = [n for n, p in judge.named_parameters() if p.grad is None and "head" not in n]
    assert resting == []


def test_noise_by_hand() -> None:
    noise = _Noise()
    x = torch.zeros(4, 3, 32, 32)
    assert torch.equal(noise(x), x)  # its strength is 0 at first
    with torch.no_grad():
        noise.strength.fill_(0.5)
    added = noise(x)
    assert torch.equal(added, added[:, :1].expand_as(added))  # all channels alike
    assert added[:, 0].std().item() == pytest.approx(0.5, rel=0.05)
    assert not torch.equal(added[0], added[1])
    assert torch.equal(noise.eval()(x), x)


def test_noise_in_the_generator_while_training_alone() -> None:
    torch.manual_seed(0)
    generator = FastGenerator(3, (64, 64), 16, width=4)
    strengths = [module.strength for module in generator.modules() if isinstance(module, _Noise)]
    assert len(strengths) == 4  # two in every second doubling
    latent = torch.randn(2, 16)

    def draw(strength: float, training: bool) -> Tensor:
        for own in strengths:
            own.fill_(strength)
        for norm in generator.modules():
            if isinstance(norm, nn.BatchNorm2d):
                norm.reset_running_stats()
        return generator.train(training)(latent)

    with torch.no_grad(), parametrize.cached():  # no step of power iteration between the looks
        assert torch.equal(draw(0.0, True), draw(0.0, True))
        assert not torch.allclose(draw(1.0, True), draw(1.0, True), atol=1e-3)
        assert torch.equal(draw(1.0, False), draw(0.0, False))


def test_the_class_and_the_auxiliary_classifier() -> None:
    torch.manual_seed(0)
    generator = FastGenerator(3, (64, 64), 16, classes=3, width=4).eval()
    drawn = generator(torch.randn(1, 16).expand(3, -1), torch.tensor([0, 1, 1]))
    assert torch.allclose(drawn[1], drawn[2], atol=1e-6)
    assert (drawn[0] - drawn[1]).abs().max() > 1e-5
    judge = FastDiscriminator(3, (64, 64), 3, 4, ProjectionHead, auxiliary=True).eval()
    same = torch.randn(1, 3, 64, 64).expand(3, -1, -1, -1)
    judged = judge(same, torch.tensor([0, 1, 1]))
    assert judged.classes is not None
    assert judged.classes.shape == (3, 3)
    assert torch.allclose(judged.logits[1], judged.logits[2], atol=1e-5)
    assert (judged.logits[0] - judged.logits[1]).abs() > 1e-4


def test_every_convolution_holds_its_spectral_norm() -> None:
    for network in (
        FastGenerator(3, (64, 64), 16, width=4),
        FastDiscriminator(3, (64, 64), width=4),
    ):
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                assert parametrize.is_parametrized(module, "weight")


def test_resizing_is_the_mean_of_an_area() -> None:
    x = torch.arange(16.0).view(1, 1, 4, 4)
    small = resized_to(x, torch.zeros(1, 3, 2, 1))
    assert small[0, 0].tolist() == [[(0 + 1 + 2 + 3 + 4 + 5 + 6 + 7) / 8], [11.5]]
    assert torch.equal(resized_to(x, x), x)
