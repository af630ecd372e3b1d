"""The three kinds of pictures that players draw on."""

import pytest
import torch
from torch import Tensor

from carsynth.data.batch import CarBatch
from carsynth.labels import NUM_PARTS, PALETTE
from carsynth.metrics.part_statistics import maps_of_palette
from carsynth.metrics.pixels import to_uint8
from carsynth.modules.canvas import Canvas, ClassCanvas, PaletteCanvas, PhotoCanvas

COLOURS = torch.from_numpy(PALETTE)


def a_batch() -> CarBatch:
    """Random photos, and maps in which every part occurs."""
    torch.manual_seed(0)
    maps = torch.randint(NUM_PARTS, (2, 8, 12))
    maps.view(2, -1)[:, :NUM_PARTS] = torch.arange(NUM_PARTS)
    photo = torch.randint(256, (2, 3, 8, 12), dtype=torch.uint8)
    return CarBatch(photo, maps, torch.tensor([1, 0]))


def painted(maps: Tensor) -> Tensor:
    """Part maps (B, H, W) in the palette, uint8 (B, 3, H, W), a pixel at a time."""
    picture = torch.zeros(len(maps), 3, *maps.shape[1:], dtype=torch.uint8)
    for (b, y, x), part in zip(
        torch.cartesian_prod(*map(torch.arange, maps.shape)), maps.flatten().tolist(), strict=True
    ):
        picture[b, :, y, x] = COLOURS[part]
    return picture


def test_photos_come_back_as_they_were() -> None:
    canvas, batch = PhotoCanvas(), a_batch()
    real = canvas.real(batch)
    assert (real.dtype, real.shape) == (torch.float32, (2, 3, 8, 12))
    assert (real.min().item(), real.max().item()) == pytest.approx((-1.0, 1.0), abs=0.02)
    shown = canvas.show(real)
    assert torch.equal(to_uint8(shown.photo), batch.photo)
    assert shown.moved.tolist() == [0.0, 0.0]
    assert canvas.repaint(batch) is batch


@pytest.mark.parametrize("canvas", [PaletteCanvas(), ClassCanvas()], ids=["rgb", "classes"])
def test_maps_come_back_in_the_palette(canvas: Canvas) -> None:
    batch = a_batch()
    real = canvas.real(batch)
    assert (real.dtype, real.shape) == (torch.float32, (2, canvas.channels, 8, 12))
    shown = canvas.show(real)
    expected = painted(batch.part_map)
    assert torch.equal(to_uint8(shown.photo), expected)
    assert shown.moved.tolist() == [0.0, 0.0]
    maps = maps_of_palette(to_uint8(shown.photo).permute(0, 2, 3, 1).numpy())
    assert torch.equal(torch.from_numpy(maps), batch.part_map)

    repainted = canvas.repaint(batch)
    assert torch.equal(repainted.photo, expected)
    assert repainted.photo.is_contiguous()
    assert repainted.part_map is batch.part_map
    assert repainted.label is batch.label
    assert not canvas.takes_colour
    assert PhotoCanvas.takes_colour


@pytest.mark.parametrize("canvas", [PhotoCanvas(), PaletteCanvas()], ids=["photo", "rgb"])
def test_colours_are_squashed_by_a_tanh(canvas: Canvas) -> None:
    raw = torch.randn(2, 3, 4, 4) * 3
    assert torch.equal(canvas.squash(raw), raw.tanh())
    assert canvas.channels == 3


def test_channels_of_real_class_maps() -> None:
    batch = a_batch()
    real = ClassCanvas().real(batch)
    for part in range(NUM_PARTS):
        assert torch.equal(real[:, part], (batch.part_map == part).float())


def test_snapping_goes_to_the_nearest_colour_and_counts_what_it_moved() -> None:
    level = 1 / 127.5
    drawn = torch.full((2, 3, 2, 4), -1.0)  # black, as the background is
    drawn[0, :, 0, 0] += torch.tensor([40, 40, 40]) * level  # dark grey: background, moved
    drawn[0, 0, 0, 1] += 0.4 * level  # the same at 8 bits: not moved
    drawn[0, 2, 0, 2] += 0.7 * level  # another at 8 bits: moved, in one channel alone
    drawn[1, :, :, :2] = 1.0  # white, as the body is
    drawn[1, :, 1, 2] = torch.tensor([0.9, -0.9, 0.95])  # nearly 255, 0, 255
    shown = PaletteCanvas().show(drawn)
    expected = torch.zeros(2, 2, 4, dtype=torch.int64)
    expected[1, :, :2] = 19
    expected[1, 1, 2] = 9
    assert torch.equal(to_uint8(shown.photo), painted(expected))
    assert shown.moved.tolist() == pytest.approx([2 / 8, 1 / 8])


def test_every_pixel_that_8_bits_would_show_otherwise_counts_as_moved() -> None:
    torch.manual_seed(0)
    drawn = torch.rand(1, 3, 40, 40) * 2 - 1
    drawn[..., :20] = COLOURS[torch.randint(NUM_PARTS, (40, 20))].permute(2, 0, 1) / 127.5 - 1
    drawn[..., :20] += (torch.rand(3, 40, 20) - 0.5) * 2 / 127.5
    drawn.clamp_(-1, 1)
    shown = PaletteCanvas().show(drawn)
    other = (to_uint8(drawn) != to_uint8(shown.photo)).any(1)
    assert shown.moved.item() == pytest.approx(other.double().mean().item())
    assert 0.5 < shown.moved.item() < 0.99


def test_straight_through_is_one_hot_with_softmaxs_gradient() -> None:
    torch.manual_seed(0)
    raw = torch.randn(2, NUM_PARTS, 3, 4, requires_grad=True)
    hard, soft = ClassCanvas().squash(raw), ClassCanvas(straight_through=False).squash(raw)
    assert set(hard.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(hard.sum(1), torch.ones(2, 3, 4))
    assert torch.equal(hard.argmax(1), raw.argmax(1))
    torch.testing.assert_close(soft, raw.softmax(1))
    incoming = torch.randn_like(raw)
    (through,) = torch.autograd.grad(hard, raw, incoming)
    (smooth,) = torch.autograd.grad(soft, raw, incoming)
    torch.testing.assert_close(through, smooth)
    assert (smooth != 0).any()


@pytest.mark.parametrize("straight_through", [False, True])
def test_sharpness_is_a_factor_before_the_softmax(straight_through: bool) -> None:
    raw = torch.randn(2, NUM_PARTS, 3, 4, requires_grad=True)
    sharp = ClassCanvas(straight_through, sharpness=3.0).squash(raw)
    plain = ClassCanvas(straight_through).squash(3.0 * raw)
    torch.testing.assert_close(sharp, plain)
    incoming = torch.randn_like(raw)
    ours, theirs = (torch.autograd.grad(out, raw, incoming)[0] for out in (sharp, plain))
    torch.testing.assert_close(ours, theirs)


def test_any_class_drawing_is_a_valid_map() -> None:
    torch.manual_seed(0)
    canvas = ClassCanvas(straight_through=False)
    raw = torch.randn(2, NUM_PARTS, 8, 12)
    shown = canvas.show(canvas.squash(raw))
    assert torch.equal(to_uint8(shown.photo), painted(raw.argmax(1)))
    assert shown.moved.tolist() == [0.0, 0.0]


def test_half_precision_is_snapped_too() -> None:
    real = PaletteCanvas().real(a_batch())
    shown = PaletteCanvas().show(real.bfloat16())
    assert torch.equal(to_uint8(shown.photo), to_uint8(real))
    assert shown.photo.dtype == torch.float32
    assert shown.moved.tolist() == [0.0, 0.0]
