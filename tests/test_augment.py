"""DiffAugment: what each change does, and how its draws are spread."""

import pytest
import torch
from torch import Tensor

from carsynth.augment import (
    Colour,
    DiffAugment,
    _shift_by_index,
    _shift_by_slices,
    cut_out,
    recolour,
    translate,
)
from carsynth.errors import UserError

NOTHING = {"colour": False, "translation": 0.0, "cutout": 0.0}


def only(**on: float | bool) -> DiffAugment:
    return DiffAugment(**{**NOTHING, **on})  # type: ignore[arg-type]


def each(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)[:, None, None, None]


# Colour -----------------------------------------------------------------------------------------


def test_recolour_is_brightness_then_saturation_then_contrast() -> None:
    torch.manual_seed(0)
    x = torch.rand(3, 3, 4, 5, dtype=torch.float64) * 2 - 1
    draws = Colour(each(0.3, -0.5, 0.0), each(0.0, 1.7, 1.0), each(1.4, 0.5, 1.0))
    brighter = x + draws.brightness
    grey = brighter.mean(1, keepdim=True)
    saturated = (brighter - grey) * draws.saturation + grey
    mean = saturated.mean((1, 2, 3), keepdim=True)
    expected = (saturated - mean) * draws.contrast + mean
    torch.testing.assert_close(recolour(x, draws), expected)
    assert torch.equal(recolour(x, draws)[2], x[2])
    assert (recolour(x, draws)[0].std(0) < 1e-12).all()  # no saturation at all: grey


def test_recolour_is_differentiable() -> None:
    x = torch.randn(2, 3, 2, 3, dtype=torch.float64, requires_grad=True)
    draws = Colour(each(0.3, -0.5), each(0.2, 1.7), each(1.4, 0.5))
    assert torch.autograd.gradcheck(lambda p: recolour(p, draws), x)


def test_colour_draws_have_the_published_ranges() -> None:
    torch.manual_seed(0)
    # white, black, a colour of mean 0, grey: so that every draw can be read off
    pixels = torch.tensor([[1.0, 1, 1], [-1, -1, -1], [1, -1, 0], [0, 0, 0]])
    x = pixels.T.reshape(1, 3, 2, 2).expand(4000, -1, -1, -1)
    out = only(colour=True)(x).flatten(2)
    brightness = out[:, 0, 3]
    contrast = (out[:, 0, 0] - out[:, 0, 1]) / 2
    saturation = (out[:, 0, 2] - out[:, 1, 2]) / 2 / contrast
    for draws, low, high in (
        (brightness, -0.5, 0.5),
        (saturation, 0.0, 2.0),
        (contrast, 0.5, 1.5),
    ):
        width = high - low
        assert low - 1e-4 < draws.min().item() < low + 0.01 * width
        assert high - 0.01 * width < draws.max().item() < high + 1e-4
        assert draws.mean().item() == pytest.approx((low + high) / 2, abs=0.02 * width)
        assert draws.std().item() == pytest.approx(width * 12**-0.5, rel=0.03)
    drawn = torch.corrcoef(torch.stack([brightness, saturation, contrast]))
    assert (drawn - torch.eye(3)).abs().max().item() < 0.06  # three draws, not one


# Translation ------------------------------------------------------------------------------------


def test_translation_by_hand() -> None:
    x = torch.arange(1.0, 7.0).view(1, 1, 2, 3).repeat(4, 2, 1, 1)
    down, right = torch.tensor([0, 1, 0, -1]), torch.tensor([0, 0, 2, -1])
    moved = translate(x, down, right)
    assert torch.equal(moved[:, 0], moved[:, 1])
    assert moved[:, 0].tolist() == [
        [[1, 2, 3], [4, 5, 6]],
        [[0, 0, 0], [1, 2, 3]],
        [[0, 0, 1], [0, 0, 4]],
        [[5, 6, 0], [0, 0, 0]],
    ]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_both_ways_to_translate_agree(layout: torch.memory_format) -> None:
    torch.manual_seed(0)
    x = torch.randn(99, 3, 4, 5).to(memory_format=layout)
    shifts = torch.cartesian_prod(torch.arange(-5, 6), torch.arange(-4, 5))
    down, right = shifts.T  # up to one pixel more than the height
    sliced = _shift_by_slices(x, down, right)
    assert torch.equal(sliced, _shift_by_index(x, down, right))
    assert torch.equal(sliced, translate(x, down, right))
    assert sliced[down.abs() < 4].abs().flatten(1).sum(1).min() > 0
    assert (sliced[down.abs() >= 4] == 0).all()
    torch.compiler.reset()
    compiled = torch.compile(translate, backend="eager", fullgraph=True)
    assert torch.equal(compiled(x, down, right), sliced)


@pytest.mark.parametrize("shift", [_shift_by_slices, _shift_by_index])
def test_translations_gradient_is_the_shift_back(
    shift: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("carsynth.augment._shift_by_slices", shift)
    torch.manual_seed(0)
    x = torch.randn(3, 2, 3, 4, dtype=torch.float64, requires_grad=True)
    down, right = torch.tensor([1, 0, -2]), torch.tensor([-1, 3, 0])
    assert torch.autograd.gradcheck(lambda p: translate(p, down, right), x)
    assert torch.autograd.gradgradcheck(lambda p: translate(p, down, right), x)
    incoming = torch.randn_like(x)
    (gradient,) = torch.autograd.grad(translate(x, down, right), x, incoming)
    assert torch.equal(gradient, translate(incoming, -down, -right))


def test_shifts_reach_the_share_and_never_exceed_it() -> None:
    torch.manual_seed(0)
    x = torch.zeros(3000, 1, 32, 56)
    x[:, 0, 16, 28] = 1.0
    _, _, row, column = only(translation=0.125)(x).nonzero().T
    assert len(row) == 3000
    assert (row - 16).unique().tolist() == list(range(-4, 5))
    assert (column - 28).unique().tolist() == list(range(-7, 8))
    assert torch.bincount(row - 12).min() > 250  # all of the 9 about equally often
    assert torch.bincount(column - 21).min() > 130
    moves = torch.corrcoef(torch.stack([row, column]).float())
    assert abs(moves[0, 1].item()) < 0.06  # drawn apart


# Cutout -----------------------------------------------------------------------------------------


def test_cutout_by_hand() -> None:
    x = torch.arange(1.0, 13.0).view(1, 1, 3, 4).repeat(3, 2, 1, 1)
    top, left = torch.tensor([1, -1, 2]), torch.tensor([0, 3, 1])
    cut = cut_out(x, top, left, torch.tensor([2, 2, 0]), torch.tensor([3, 3, 3]))
    assert torch.equal(cut[:, 0], cut[:, 1])
    assert cut[:, 0].tolist() == [
        [[1, 2, 3, 4], [0, 0, 0, 8], [0, 0, 0, 12]],
        [[1, 2, 3, 0], [5, 6, 7, 8], [9, 10, 11, 12]],  # what lies outside is cut off
        [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]],  # a box without height
    ]


def test_cutouts_gradient_is_zero_in_the_box() -> None:
    x = torch.randn(1, 2, 3, 4, requires_grad=True)
    box = [torch.tensor([n]) for n in (1, 0, 2, 3)]
    (gradient,) = torch.autograd.grad(cut_out(x, *box).sum(), x)
    assert torch.equal(gradient, cut_out(torch.ones_like(x), *box))


def visible(length: int, side: int) -> float:
    """Mean pixels of a box within a picture, its middle at any pixel (the authors' code)."""
    middles = range(length + 1 - side % 2)
    boxes = [range(middle - side // 2, middle - side // 2 + side) for middle in middles]
    return sum(sum(0 <= pixel < length for pixel in box) for box in boxes) / len(boxes)


@pytest.mark.parametrize(
    ("ratio", "sides"),
    [(0.5, (8, 14)), (0.3, (5, 8)), (1.0, (16, 28)), (0.2, (3, 6)), (0.25, (4, 7))],
)
def test_cutouts_are_of_the_ratio(ratio: float, sides: tuple[int, int]) -> None:
    torch.manual_seed(0)
    holes = only(cutout=ratio)(torch.ones(6000, 1, 16, 28))[:, 0] == 0
    tall, wide = holes.any(2).sum(1), holes.any(1).sum(1)
    assert torch.equal(holes.flatten(1).sum(1), tall * wide)  # boxes
    assert (int(tall.max()), int(wide.max())) == sides
    assert (int(tall.min()), int(wide.min())) == (-(-sides[0] // 2), -(-sides[1] // 2))
    expected = visible(16, sides[0]), visible(28, sides[1])
    assert tall.double().mean().item() == pytest.approx(expected[0], rel=0.02)
    assert wide.double().mean().item() == pytest.approx(expected[1], rel=0.02)
    area = (tall * wide).double().mean().item()
    assert area == pytest.approx(expected[0] * expected[1], rel=0.03)
    share = holes.double().mean(0)  # nowhere spared, and no side preferred
    assert share.min() > 0
    assert (share - share.flip(0)).abs().max() < 0.05
    assert (share - share.flip(1)).abs().max() < 0.05


# All of them ------------------------------------------------------------------------------------


@pytest.mark.parametrize("on", [{"colour": True}, {"translation": 0.25}, {"cutout": 0.5}])
def test_every_call_and_picture_has_fresh_draws(on: dict[str, float | bool]) -> None:
    torch.manual_seed(0)
    x = torch.randn(1, 3, 32, 32).expand(16, -1, -1, -1)
    augment = only(**on)
    first, second = augment(x), augment(x)
    for pictures in (first, torch.stack([first[0], second[0]])):
        assert not (pictures[1:] == pictures[:1]).flatten(1).all(1).any()
    torch.manual_seed(0)
    torch.randn(1, 3, 32, 32)
    assert torch.equal(augment(x), first)  # of torch's generator alone


def test_chance_zero_changes_nothing() -> None:
    torch.manual_seed(0)
    x = torch.randn(8, 3, 16, 16)
    for chance in (0.0, torch.zeros(())):
        assert torch.equal(DiffAugment()(x, chance), x)


def test_chance_is_of_each_change_for_each_picture() -> None:
    torch.manual_seed(0)
    x = torch.ones(6000, 3, 8, 8)
    coloured = only(colour=True)(x, 0.3)[:, 0, 0, 0] != 1
    shifted = (only(translation=0.5)(x, torch.tensor(0.3)) == 0).flatten(1).any(1)
    cut = (only(cutout=0.5)(x, 0.3) == 0).flatten(1).any(1)
    assert coloured.double().mean().item() == pytest.approx(0.3, abs=0.02)
    unmoved = 1 / 81  # among 9 shifts each way
    assert shifted.double().mean().item() == pytest.approx(0.3 * (1 - unmoved), abs=0.02)
    assert cut.double().mean().item() == pytest.approx(0.3, abs=0.02)
    out = DiffAugment(colour=True, translation=0.0, cutout=0.5)(x, 0.3)
    holes = (out == 0).flatten(1).any(1)
    changed = ((out != 1) & (out != 0)).flatten(1).any(1)
    assert (holes & changed).double().mean().item() == pytest.approx(0.09, abs=0.015)


def test_changes_that_are_off_do_nothing_and_draw_nothing() -> None:
    augment = only()
    assert not augment.changes_anything
    x, state = torch.randn(2, 3, 8, 8), torch.get_rng_state()
    assert augment(x) is x
    assert torch.equal(torch.get_rng_state(), state)
    for on in ({"colour": True}, {"translation": 0.1}, {"cutout": 0.1}):
        assert only(**on).changes_anything


def test_class_maps_pass_through_translation_and_cutout() -> None:
    torch.manual_seed(0)
    ids = torch.randint(20, (4, 16, 24))
    x = torch.nn.functional.one_hot(ids, 20).permute(0, 3, 1, 2).float()
    out = DiffAugment(colour=False)(x)
    assert out.shape == x.shape
    total = out.sum(1)
    assert set(total.unique().tolist()) == {0.0, 1.0}  # a part or nothing
    assert set(out.unique().tolist()) == {0.0, 1.0}
    assert 0.3 < total.mean().item() < 0.95


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_type_is_kept_and_the_gradient_flows(dtype: torch.dtype) -> None:
    x = torch.randn(2, 3, 16, 16, dtype=dtype, requires_grad=True)
    out = DiffAugment(cutout=0.25)(x, torch.tensor(1.0))
    assert (out.dtype, out.shape) == (dtype, x.shape)
    (gradient,) = torch.autograd.grad(out.float().square().sum(), x)
    assert (gradient != 0).any()


@pytest.mark.parametrize(("name", "share"), [("translation", 1.5), ("cutout", -0.1)])
def test_a_share_outside_the_picture_is_a_users_mistake(name: str, share: float) -> None:
    with pytest.raises(UserError, match=rf"diffaug\.{name}={share}: give a share") as caught:
        only(**{name: share})
    assert "\n" not in str(caught.value)
    only(**{name: 1.0})
