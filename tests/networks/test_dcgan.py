"""The DCGANs beside the shape tables of the two-stage report."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from carsynth.networks.dcgan import (
    DeconvDiscriminator,
    DeconvGenerator,
    UpsampleDiscriminator,
    UpsampleGenerator,
    _Doubled,
)
from carsynth.networks.heads import ProjectionHead
from carsynth.networks.latent import LatentInput

# Tanh and sigmoid are not the networks': the canvas has the one and the loss the other.
FIGURE_7_GENERATOR = """
    Deconvolution+BN+ReLU  1024x4x4
    Deconvolution+BN+ReLU  512x8x8
    Deconvolution+BN+ReLU  256x16x16
    Deconvolution+BN+ReLU  128x32x32
    Deconvolution+BN+ReLU  64x64x64
    Deconvolution          3x128x128
"""
FIGURE_7_DISCRIMINATOR = """
    Convolution+LR     64x64x64
    Convolution+BN+LR  128x32x32
    Convolution+BN+LR  256x16x16
    Convolution+BN+LR  512x8x8
    Convolution+BN+LR  1024x4x4
    Linear             1
"""  # the last convolution covers the whole map
FIGURE_10_GENERATOR = """
    Linear                                                                  512x4x4
    Convolution+BN+LR+Convolution+BN+LR                                     512x4x4
    Upsample+Convolution+BN+LR+Convolution+BN+LR                            512x8x8
    Upsample+Convolution+BN+LR+Convolution+BN+LR                            512x16x16
    Upsample+Convolution+BN+LR+Convolution+BN+LR                            256x32x32
    Upsample+Convolution+BN+LR+Convolution+BN+LR                            128x64x64
    Upsample+Convolution+BN+LR+Convolution+BN+LR                            64x128x128
    Convolution+LR+Convolution+LR                                           64x128x128
    Convolution                                                             3x128x128
"""
FIGURE_10_DISCRIMINATOR = """
    Convolution+LR+Convolution+LR                16x128x128
    Convolution+BN+LR+Convolution+BN+LR+AvgPool  32x64x64
    Convolution+BN+LR+Convolution+BN+LR+AvgPool  64x32x32
    Convolution+BN+LR+Convolution+BN+LR+AvgPool  128x16x16
    Convolution+BN+LR+Convolution+BN+LR+AvgPool  256x8x8
    Convolution+BN+LR+Convolution+BN+LR+AvgPool  512x4x4
    Convolution+BN+LR+Convolution+BN+LR+AvgPool  512x1x1
    Linear                                       1
"""

KINDS: dict[type[nn.Module], str] = {
    nn.Conv2d: "Convolution",
    nn.ConvTranspose2d: "Deconvolution",
    nn.BatchNorm2d: "BN",
    nn.ReLU: "ReLU",
    nn.LeakyReLU: "LR",
    nn.SELU: "SELU",
    nn.AvgPool2d: "AvgPool",
    nn.Linear: "Linear",
    _Doubled: "Upsample",
}


def course(network: nn.Module, run: Callable[[], object], first: str) -> list[tuple[str, str]]:
    """What each layer is and gives, as they run; ``first`` is what the latent's map is called."""
    seen: list[tuple[str, str]] = []

    def note(kind: str, module: nn.Module, _: object, out: Tensor) -> None:
        seen.append((kind, "x".join(str(side) for side in out.shape[1:])))

    for module in network.modules():
        inside = isinstance(network, DeconvGenerator | UpsampleGenerator) and (
            module is network.input.linear
        )
        if isinstance(module, LatentInput):
            module.register_forward_hook(partial(note, first))
        elif type(module) in KINDS and not inside:
            module.register_forward_hook(partial(note, KINDS[type(module)]))
    with torch.no_grad():
        run()
    return seen


def assert_is(seen: list[tuple[str, str]], table: str) -> None:
    for row in table.split("\n"):
        if not row.strip():
            continue
        kinds, shape = row.split()
        count = kinds.count("+") + 1
        part, seen = seen[:count], seen[count:]
        assert "+".join(kind for kind, _ in part) == kinds
        assert part[-1][1] == shape
    assert seen == []


def test_figure_7() -> None:
    generator = DeconvGenerator(3, (128, 128), 100)
    drawn = course(generator, lambda: generator(torch.randn(2, 100)), "Deconvolution")
    assert_is(drawn, FIGURE_7_GENERATOR)
    judge = DeconvDiscriminator(3, (128, 128))
    assert_is(course(judge, lambda: judge(torch.randn(2, 3, 128, 128)), ""), FIGURE_7_DISCRIMINATOR)


def test_figure_10() -> None:
    generator = UpsampleGenerator(3, (128, 128), 100)
    drawn = course(generator, lambda: generator(torch.randn(2, 100)), "Linear")
    assert_is(drawn, FIGURE_10_GENERATOR)
    judge = UpsampleDiscriminator(3, (128, 128))
    seen = course(judge, lambda: judge(torch.randn(2, 3, 128, 128)), "")
    assert_is(seen, FIGURE_10_DISCRIMINATOR)


def test_kernels() -> None:
    """4x4 with stride 2 in figure 7, 3x3 with stride 1 in figure 10; a leak of 0.2 in both."""
    for networks, kernel, stride in (
        ((DeconvGenerator(3, (32, 32), 8, width=4), DeconvDiscriminator(3, (32, 32))), 4, 2),
        ((UpsampleGenerator(3, (32, 32), 8, width=4), UpsampleDiscriminator(3, (32, 32))), 3, 1),
    ):
        for module in (module for network in networks for module in network.modules()):
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                assert module.kernel_size == (kernel, kernel)
                assert module.stride == (stride, stride)
            if isinstance(module, nn.LeakyReLU):
                assert module.negative_slope == 0.2


@pytest.mark.parametrize(
    "network",
    [
        DeconvGenerator(3, (64, 64), 100, width=32),
        UpsampleGenerator(3, (64, 64), 100, width=32),
        DeconvDiscriminator(3, (64, 64), width=32),
        UpsampleDiscriminator(3, (64, 64), width=32),
    ],
    ids=lambda network: type(network).__name__,
)
def test_weights_are_drawn_as_dcgan_draws_them(network: nn.Module) -> None:
    checked = 0
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            if module.weight.numel() > 4000:
                assert module.weight.std().item() == pytest.approx(0.02, rel=0.1)
                assert module.weight.mean().item() == pytest.approx(0.0, abs=2e-3)
                checked += 1
        elif isinstance(module, nn.BatchNorm2d):
            assert module.weight.mean().item() == pytest.approx(1.0, abs=0.02)
            assert 0.005 < module.weight.std().item() < 0.04
    assert checked >= 3


class Moments(nn.Module):
    """Mean and variance of every SELU's output, borders left out: padding adds zeros there."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.of: list[tuple[float, float]] = []
        for module in network.modules():
            if isinstance(module, nn.SELU):
                module.register_forward_hook(self._note)

    def _note(self, module: nn.Module, _: object, out: Tensor) -> None:
        inner = out[..., 2:-2, 2:-2] if min(out.shape[2:]) > 4 else out
        self.of.append((inner.mean().item(), inner.var().item()))


@pytest.mark.parametrize("size", [(64, 64), (64, 112)])
def test_selu_has_no_batch_norm_and_keeps_mean_and_variance(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    generator = DeconvGenerator(3, size, 100, width=32, self_normalising=True)
    judge = DeconvDiscriminator(3, size, width=32, self_normalising=True)
    for network, x in (
        (generator, torch.randn(16, 100)),
        (judge, torch.randn(16, 3, *size)),
    ):
        kinds = {type(module) for module in network.modules()}
        assert not kinds & {nn.BatchNorm2d, nn.ReLU, nn.LeakyReLU}
        moments = Moments(network)
        with torch.no_grad():
            network(x)
        assert len(moments.of) == 4
        for mean, variance in moments.of:
            assert abs(mean) < 0.06
            assert 0.7 < variance < 1.2
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and module.bias is not None:
                assert (module.bias == 0).all()
    with torch.no_grad():
        assert 0.6 < generator(torch.randn(16, 100)).var().item() < 1.2  # before the tanh


@pytest.mark.parametrize("selu", [False, True])
def test_only_without_batch_norm_is_each_picture_judged_by_itself(selu: bool) -> None:
    torch.manual_seed(0)
    judge = DeconvDiscriminator(3, (16, 16), width=4, self_normalising=selu)
    x = torch.randn(4, 3, 16, 16)
    alone = torch.allclose(judge(x).logits[:2], judge(x[:2]).logits, atol=1e-5)
    assert alone is selu is judge.per_picture
    assert UpsampleDiscriminator(3, (16, 16), width=4).per_picture is False


PAIRS = [
    (DeconvGenerator, DeconvDiscriminator),
    (
        partial(DeconvGenerator, self_normalising=True),
        partial(DeconvDiscriminator, self_normalising=True),
    ),
    (UpsampleGenerator, UpsampleDiscriminator),
]
NAMES = ["deconv", "selu", "upsample"]


@pytest.mark.parametrize(("make_generator", "make_judge"), PAIRS, ids=NAMES)
@pytest.mark.parametrize("size", [(8, 8), (16, 24), (32, 56), (48, 36), (72, 96)])
def test_rectangles(
    make_generator: Callable[..., nn.Module],
    make_judge: Callable[..., nn.Module],
    size: tuple[int, int],
) -> None:
    generator = make_generator(5, size, 12, width=4)
    assert generator.size == size
    picture = generator(torch.randn(2, 12))
    assert picture.shape == (2, 5, *size)
    judged = make_judge(5, size, width=4)(picture)
    assert judged.logits.shape == (2,)
    assert judged.features.shape[0] == 2
    assert judged.classes is None


@pytest.mark.parametrize(("make_generator", "make_judge"), PAIRS, ids=NAMES)
def test_classes(
    make_generator: Callable[..., nn.Module], make_judge: Callable[..., nn.Module]
) -> None:
    torch.manual_seed(0)
    generator = make_generator(3, (16, 24), 12, classes=3, width=4).double().eval()
    latent = torch.randn(1, 12).double().expand(3, -1)
    drawn = generator(latent, torch.tensor([0, 1, 1]))
    assert apart(drawn[1], drawn[2]) < 1e-12
    assert apart(drawn[0], drawn[1]) > 1e-9  # small where batch norm is not yet used to the data
    with pytest.raises(AssertionError, match="draws by class"):
        generator(latent)

    make = partial(make_judge, 3, (16, 24), classes=3, width=4)
    judge = make(head=ProjectionHead, auxiliary=True).double().eval()
    same = torch.randn(1, 3, 16, 24).double().expand(3, -1, -1, -1)
    judged = judge(same, torch.tensor([0, 1, 1]))
    assert judged.classes.shape == (3, 3)
    assert apart(judged.logits[1], judged.logits[2]) < 1e-12
    assert apart(judged.logits[0], judged.logits[1]) > 1e-9
    assert apart(judged.classes[0], judged.classes[1]) < 1e-12
    # told the class, but not looking at it
    logits = make().double().eval()(same, torch.tensor([0, 1, 2])).logits
    assert apart(logits[0], logits[1]) < 1e-12


def apart(a: Tensor, b: Tensor) -> float:
    return (a - b).abs().max().item()


@pytest.mark.parametrize(("make_generator", "make_judge"), PAIRS, ids=NAMES)
def test_width_scales_every_map(
    make_generator: Callable[..., nn.Module], make_judge: Callable[..., nn.Module]
) -> None:
    def channels(width: int) -> list[int]:
        found = []
        for network in (
            make_generator(3, (32, 32), 12, width=width),
            make_judge(3, (32, 32), width=width),
        ):
            for module in network.modules():
                if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                    found += [module.in_channels, module.out_channels]
                elif isinstance(module, nn.Linear):
                    found += [module.in_features, module.out_features]
        return found

    fixed = {1, 3, 12}  # a logit, a picture's channels, the latent
    wide, narrow = channels(32), channels(8)
    assert len(wide) == len(narrow)
    for many, few in zip(wide, narrow, strict=True):
        assert many == 4 * few or many == few in fixed


def test_the_picture_depends_on_every_entry_of_the_latent() -> None:
    torch.manual_seed(0)
    for make in (DeconvGenerator, UpsampleGenerator):
        latent = torch.randn(2, 6, requires_grad=True)
        generator = make(3, (16, 16), 6, width=4)
        # of something else than the sum, which batch norm keeps fixed
        incoming = torch.randn(2, 3, 16, 16)
        (gradient,) = torch.autograd.grad((generator(latent) * incoming).sum(), latent)
        assert (gradient != 0).all()
