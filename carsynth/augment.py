"""DiffAugment (Zhao et al. 2020, arXiv 2006.10738): random changes of what D sees, differentiable.

Pure functions on the device of their input. D is shown changed real and changed fake pictures, and
G's gradient flows back through the change, so that few photos last longer and the change itself
does not appear in the samples.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from carsynth.errors import UserError


class Colour(NamedTuple):
    """Draws for :func:`recolour`, each (B, 1, 1, 1)."""

    brightness: Tensor
    """Added to every value, -0.5 to 0.5."""
    saturation: Tensor
    """Factor of the distance from each pixel's grey, 0 to 2."""
    contrast: Tensor
    """Factor of the distance from the picture's mean, 0.5 to 1.5."""


def recolour(x: Tensor, draws: Colour) -> Tensor:
    """Brightness, then saturation, then contrast, of pictures (B, 3, H, W) in [-1, 1].

    The three are one affine map of a value, its pixel's grey and its picture's mean. Values may
    leave [-1, 1].
    """
    grey = x.mean(dim=1, keepdim=True)
    mean = grey.mean(dim=(2, 3), keepdim=True)
    own = draws.contrast * draws.saturation
    towards_grey = draws.contrast * (1 - draws.saturation)
    ground = draws.brightness + (1 - draws.contrast) * mean
    return torch.addcmul(grey * towards_grey + ground, x, own)


class _Translate(torch.autograd.Function):
    """Whole-pixel shifts, whose gradient is the shift back."""

    @staticmethod
    def forward(x: Tensor, down: Tensor, right: Tensor) -> Tensor:
        if x.device.type == "cpu" and not torch.compiler.is_compiling():
            return _shift_by_slices(x, down, right)
        return _shift_by_index(x, down, right)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:
        _, down, right = inputs
        ctx.save_for_backward(down, right)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, None, None]:
        down, right = ctx.saved_tensors
        return _Translate.apply(dy, -down, -right), None, None


def _shift_by_slices(x: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """A block copy a picture: the fastest on a CPU."""
    height, width = x.shape[2:]
    shifted = torch.zeros_like(x)
    down, right = down.clamp(-height, height), right.clamp(-width, width)
    for own, out, dy, dx in zip(x, shifted, down.tolist(), right.tolist(), strict=True):
        to = out[:, max(dy, 0) : height + min(dy, 0), max(dx, 0) : width + min(dx, 0)]
        to.copy_(own[:, max(-dy, 0) : height + min(-dy, 0), max(-dx, 0) : width + min(-dx, 0)])
    return shifted


def _shift_by_index(x: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """One indexed read for all pictures, which compilers fuse and which waits for no device."""
    height, width = x.shape[2:]
    rows = torch.arange(height, device=x.device) - down[:, None]
    columns = torch.arange(width, device=x.device) - right[:, None]
    inside = ((rows >= 0) & (rows < height))[:, :, None]
    inside = inside & ((columns >= 0) & (columns < width))[:, None, :]
    picture = torch.arange(len(x), device=x.device)[:, None, None]
    rows = rows.clamp(0, height - 1)[:, :, None]
    columns = columns.clamp(0, width - 1)[:, None, :]
    read = x.permute(0, 2, 3, 1)[picture, rows, columns]
    return (read * inside[..., None]).permute(0, 3, 1, 2)


def translate(x: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """Pictures (B, C, H, W) moved by whole pixels (B,) each way; 0 comes in from outside."""
    moved: Tensor = _Translate.apply(x, down, right)
    return moved


def cut_out(x: Tensor, top: Tensor, left: Tensor, height: Tensor, width: Tensor) -> Tensor:
    """Pictures (B, C, H, W) with one box each set to 0; all in pixels, (B,), outside is cut off."""
    rows = torch.arange(x.shape[2], device=x.device) - top[:, None]
    columns = torch.arange(x.shape[3], device=x.device) - left[:, None]
    across = ((rows >= 0) & (rows < height[:, None]))[:, :, None]
    along = ((columns >= 0) & (columns < width[:, None]))[:, None, :]
    return x * (~(across & along)[:, None]).to(x.dtype)


class DiffAugment:
    """Colour, translation and cutout with fresh draws for every picture at every call.

    Args:
        colour: change brightness, saturation and contrast.
        translation: largest shift each way, as a share of height and width; 0 shifts nothing.
        cutout: sides of the box set to 0, as a share of height and width; 0 cuts nothing.

    Raises:
        UserError: a share is not within [0, 1].
    """

    def __init__(
        self, colour: bool = True, translation: float = 0.125, cutout: float = 0.5
    ) -> None:
        for name, share in (("translation", translation), ("cutout", cutout)):
            if not 0.0 <= share <= 1.0:
                raise UserError(f"diffaug.{name}={share}: give a share of the picture from 0 to 1")
        self.colour = colour
        self._translation = translation
        self._cutout = cutout

    @property
    def changes_anything(self) -> bool:
        """Whether any of the three is on."""
        return self.colour or self._translation > 0 or self._cutout > 0

    def __call__(self, x: Tensor, chance: Tensor | float = 1.0) -> Tensor:
        """Changed pictures (B, C, H, W); ``chance`` is each change's probability to meet each."""
        batch, _, height, width = x.shape
        x = x.contiguous()  # whole planes, not runs of three channels, are what a CPU is fast at

        def uniform(low: float, high: float) -> Tensor:
            return low + (high - low) * torch.rand(batch, device=x.device, dtype=x.dtype)

        def whole(low: int, high: int) -> Tensor:
            return torch.randint(low, high + 1, (batch,), device=x.device)

        def met() -> Tensor:
            return torch.rand(batch, device=x.device, dtype=torch.float32) < chance

        if self.colour:
            chosen = met()
            x = recolour(
                x,
                Colour(
                    torch.where(chosen, uniform(-0.5, 0.5), 0.0)[:, None, None, None],
                    torch.where(chosen, uniform(0.0, 2.0), 1.0)[:, None, None, None],
                    torch.where(chosen, uniform(0.5, 1.5), 1.0)[:, None, None, None],
                ),
            )
        if self._translation:
            down, right = round(height * self._translation), round(width * self._translation)
            chosen = met()
            x = translate(x, whole(-down, down) * chosen, whole(-right, right) * chosen)
        if self._cutout:
            tall, wide = round(height * self._cutout), round(width * self._cutout)
            chosen = met()
            top = whole(-(tall // 2), height - 1 - tall // 2 + (1 - tall % 2))
            left = whole(-(wide // 2), width - 1 - wide // 2 + (1 - wide % 2))
            x = cut_out(x, top, left, tall * chosen, wide * chosen)
        return x
