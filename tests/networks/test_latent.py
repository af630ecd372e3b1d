"""Sizes that doubling reaches, and the way from a latent to the first map."""

import re

import pytest
import torch
from torch.nn import functional as F

from carsynth.errors import UserError
from carsynth.networks.latent import (
    LatentInput,
    PixelNorm,
    doubled,
    doublings,
    flat,
    minibatch_deviation,
)


@pytest.mark.parametrize(
    ("size", "base", "times"),
    [
        ((128, 128), (4, 4), 5),
        ((128, 224), (4, 7), 5),
        ((224, 128), (7, 4), 5),
        ((64, 96), (4, 6), 4),
        ((576, 768), (9, 12), 6),  # 7 doublings would need 4.5 rows
        ((96, 96), (6, 6), 4),
        ((88, 128), (11, 16), 3),  # 4 doublings would need 5.5 rows
        ((8, 8), (4, 4), 1),
        ((8, 1024), (4, 512), 1),
    ],
)
def test_sizes_that_doubling_reaches(
    size: tuple[int, int], base: tuple[int, int], times: int
) -> None:
    assert doublings(*size) == (base, times)


def test_every_reached_base_is_small_and_doubles_to_its_size() -> None:
    reached = 0
    for height in range(1, 130, 3):
        for width in range(1, 130):
            try:
                base, times = doublings(height, width)
            except UserError:
                continue
            reached += 1
            assert times >= 1
            assert (base[0] * 2**times, base[1] * 2**times) == (height, width)
            assert 4 <= min(base) <= 15
    assert reached > 500


@pytest.mark.parametrize(
    ("size", "step", "nearest"),
    [
        ((130, 224), 16, "128x224 or 144x224"),
        ((128, 225), 16, "128x224 or 128x240"),
        ((9, 9), 2, "8x8 or 8x10 or 10x8 or 10x10"),
        ((7, 20), 2, "8x20"),
        ((1, 1), 2, "8x8"),
        ((600, 801), 64, "576x768 or 576x832 or 640x768 or 640x832"),
        # 32x34 is a multiple of 2 as well, but from 32 pixels on multiples of 4 are needed
        ((31, 34), 2, "30x34"),
    ],
)
def test_a_size_out_of_reach_is_a_users_mistake(
    size: tuple[int, int], step: int, nearest: str
) -> None:
    with pytest.raises(UserError) as caught:
        doublings(*size)
    message = str(caught.value)
    assert f"size {size[0]}x{size[1]} cannot" in message
    assert f"multiples of {step} and at least 8" in message
    assert message.endswith("the nearest that fit: " + nearest)
    assert "\n" not in message


def test_every_size_that_a_message_names_can_be_reached() -> None:
    refused = 0
    for height in range(1, 150, 2):
        for width in range(1, 150, 3):
            try:
                doublings(height, width)
            except UserError as error:
                refused += 1
                named = re.findall(r"(\d+)x(\d+)", str(error).split("the nearest that fit:")[1])
                assert named
                for h, w in named:
                    doublings(int(h), int(w))
    assert refused > 1000


@pytest.mark.parametrize("spectral", [False, True])
def test_latent_input_is_a_transposed_convolution_of_one_pixel(spectral: bool) -> None:
    torch.manual_seed(0)
    layer = LatentInput(6, 3, 5, 8, (4, 7), bias=False, spectral=spectral).double().eval()
    latent, label = torch.randn(3, 6).double(), torch.tensor([2, 0, 2])
    pixel = torch.cat([latent, layer.embedding.weight[label]], 1)[:, :, None, None]
    weight = layer.linear.weight.T.reshape(11, 8, 4, 7)
    small = layer(latent, label)
    torch.testing.assert_close(small, F.conv_transpose2d(pixel, weight))
    assert small.is_contiguous(memory_format=torch.channels_last)
    if spectral:
        assert torch.linalg.svdvals(layer.linear.weight)[0].item() == pytest.approx(1, abs=0.05)


def test_latent_input_has_a_bias_where_it_is_asked_for_and_needs_no_class() -> None:
    layer = LatentInput(4, 0, 50, 2, (4, 5))
    assert layer.embedding is None
    bias = layer(torch.zeros(1, 4), None)[0]
    assert torch.equal(bias.flatten(), layer.linear.bias)
    assert LatentInput(4, 0, 50, 2, (4, 5), bias=False).linear.bias is None


def test_latent_input_takes_latents_of_any_type() -> None:
    layer = LatentInput(4, 3, 50, 2, (4, 5)).bfloat16()
    layer.embedding.float()
    small = layer(torch.zeros(2, 4, dtype=torch.bfloat16), torch.tensor([0, 1]))
    assert small.dtype == torch.bfloat16


@pytest.mark.parametrize("spectral", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_silenced_entries_neither_act_nor_learn(spectral: bool, training: bool) -> None:
    torch.manual_seed(0)
    layer = LatentInput(6, 3, 5, 8, (4, 4), spectral=spectral).double()
    layer.silence_from(4)
    latent, label = torch.randn(3, 6).double(), torch.tensor([2, 0, 1])
    other = torch.cat([latent[:, :4], torch.randn(3, 2).double()], 1)
    for _ in range(2):  # two looks in training: the first moves spectral norm's vectors
        layer.train(training)(latent, label)
    layer.eval()
    assert torch.equal(layer(latent, label), layer(other, label))

    before = torch.cat([torch.randn(3, 4).double(), latent[:, 4:]], 1)
    assert not torch.allclose(layer(before, label), layer(latent, label))
    assert not torch.allclose(layer(latent, label.flip(0)), layer(latent, label))  # the class acts

    raw = layer.linear.parametrizations.weight.original if spectral else layer.linear.weight
    layer.train(training)
    incoming = torch.randn(3, 8, 4, 4).double()
    held = torch.cat([latent[:, :4], torch.zeros(3, 2).double()], 1)
    (gradient,) = torch.autograd.grad((layer(held, label) * incoming).sum(), raw)
    if training or not spectral:
        assert (gradient[:, 4:6] == 0).all()
    assert (gradient[:, :4] != 0).any()
    assert (gradient[:, 6:] != 0).any()
    (awake,) = torch.autograd.grad((layer(latent, label) * incoming).sum(), raw)
    assert (awake[:, 4:6] != 0).all()  # and once alive they learn


def test_silencing_from_the_end_changes_nothing() -> None:
    layer = LatentInput(6, 3, 5, 8, (4, 4))
    before = layer.linear.weight.clone()
    layer.silence_from(6)
    assert torch.equal(layer.linear.weight, before)


def test_pixel_norm_by_hand() -> None:
    x = torch.tensor([[3.0, 0.0], [4.0, 0.0]]).view(1, 2, 1, 2)
    normed = PixelNorm()(x)
    root = 12.5**0.5  # of the mean of 9 and 16
    assert normed[0, :, 0, 0].tolist() == pytest.approx([3 / root, 4 / root])
    assert normed[0, :, 0, 1].tolist() == [0.0, 0.0]


def test_minibatch_deviation_by_hand() -> None:
    # over the batch: 1 and 3 deviate by 1, 2 and 2 by 0, 0 and 8 by 4, 5 and 5 by 0
    x = torch.tensor([[1.0, 2.0, 0.0, 5.0], [3.0, 2.0, 8.0, 5.0]]).view(2, 2, 1, 2)
    out = minibatch_deviation(x)
    assert out.shape == (2, 3, 1, 2)
    assert torch.equal(out[:, :2], x)
    assert out[:, 2].unique().tolist() == pytest.approx([1.25], abs=1e-4)


def test_minibatch_deviation_of_one_picture() -> None:
    x = torch.randn(1, 4, 3, 5, dtype=torch.bfloat16, requires_grad=True)
    out = minibatch_deviation(x)
    assert out.dtype == torch.bfloat16
    assert out[:, 4].abs().max().item() < 1e-3
    (gradient,) = torch.autograd.grad(out[:, 4].sum(), x)
    assert (gradient == 0).all()


def test_flat_is_in_the_order_of_channels_whatever_the_layout() -> None:
    x = torch.arange(24.0).view(1, 2, 3, 4)
    for layout in (torch.contiguous_format, torch.channels_last):
        assert flat(x.to(memory_format=layout)).tolist() == [list(range(24))]


def test_doubled_repeats_pixels() -> None:
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).view(1, 1, 2, 2)
    assert doubled(x)[0, 0].tolist() == [
        [1, 1, 2, 2],
        [1, 1, 2, 2],
        [3, 3, 4, 4],
        [3, 3, 4, 4],
    ]
