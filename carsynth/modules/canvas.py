"""What the two players draw on: photos, part maps as colours, or part maps as what they are."""

from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from carsynth.data.batch import CarBatch
from carsynth.labels import NUM_PARTS, PALETTE


class Shown(NamedTuple):
    """A drawing brought to what people and metrics see."""

    photo: Tensor
    """Floats in [-1, 1], (B, 3, H, W)."""
    moved: Tensor
    """Share of each picture's pixels that had to be snapped to a palette colour, (B,)."""


class Canvas(Protocol):
    """The picture space that generator and discriminator share."""

    channels: int
    takes_colour: bool
    """Whether changes of colour leave a picture of the same kind."""

    def real(self, batch: CarBatch) -> Tensor:
        """The batch's real pictures as D sees them, float32 (B, channels, H, W)."""
        ...

    def squash(self, raw: Tensor) -> Tensor:
        """A generator's raw output as D sees it, of the same shape."""
        ...

    def show(self, drawn: Tensor) -> Shown:
        """What D sees, as a picture to look at and score."""
        ...

    def repaint(self, batch: CarBatch) -> CarBatch:
        """The batch with real pictures of the kind drawn in the place of its photos."""
        ...


class PhotoCanvas:
    """Photos: three channels behind a tanh."""

    channels = 3
    takes_colour = True

    def real(self, batch: CarBatch) -> Tensor:
        return batch.photo.float() / 127.5 - 1

    def squash(self, raw: Tensor) -> Tensor:
        return raw.tanh()

    def show(self, drawn: Tensor) -> Shown:
        return Shown(drawn, torch.zeros(len(drawn), device=drawn.device))

    def repaint(self, batch: CarBatch) -> CarBatch:
        return batch


class _Maps:
    """What both kinds of part maps share: they are shown in the palette of ``labels.py``."""

    def repaint(self, batch: CarBatch) -> CarBatch:
        colours = _palette(batch.part_map.device)
        photo = colours[batch.part_map].permute(0, 3, 1, 2)
        return batch._replace(photo=photo.contiguous())


class PaletteCanvas(_Maps):
    """Part maps as RGB pictures, as the two-stage report drew them; snapped when they are shown."""

    channels = 3
    takes_colour = False

    def real(self, batch: CarBatch) -> Tensor:
        return self.repaint(batch).photo.float() / 127.5 - 1

    def squash(self, raw: Tensor) -> Tensor:
        return raw.tanh()

    def show(self, drawn: Tensor) -> Shown:
        """Every pixel in the nearest colour of the palette; moved if it was another at 8 bits."""
        colours = _palette(drawn.device).float() / 127.5 - 1
        pixels = drawn.float().permute(0, 2, 3, 1)
        ids = torch.cdist(pixels.flatten(1, 2), colours.expand(len(drawn), -1, -1)).argmin(2)
        nearest = colours[ids].view_as(pixels)
        moved = ((nearest - pixels).abs() > 0.5 / 127.5).any(3).flatten(1).float().mean(1)
        return Shown(nearest.permute(0, 3, 1, 2), moved)


class ClassCanvas(_Maps):
    """Part maps as one channel a part, so that every drawing is a valid map.

    Args:
        straight_through: show D the chosen part alone, 1 in its channel, with softmax's gradient;
            else the softmax itself, by which D can tell a fake.
        sharpness: factor of the generator's raw output before the softmax.
    """

    channels = NUM_PARTS
    takes_colour = False

    def __init__(self, straight_through: bool = True, sharpness: float = 1.0) -> None:
        self._straight_through = straight_through
        self._sharpness = sharpness

    def real(self, batch: CarBatch) -> Tensor:
        return F.one_hot(batch.part_map, NUM_PARTS).permute(0, 3, 1, 2).float()

    def squash(self, raw: Tensor) -> Tensor:
        soft = (raw * self._sharpness).softmax(dim=1)
        if not self._straight_through:
            return soft
        hard = torch.zeros_like(soft).scatter_(1, soft.argmax(1, keepdim=True), 1.0)
        return hard + (soft - soft.detach())

    def show(self, drawn: Tensor) -> Shown:
        photo = _palette(drawn.device)[drawn.argmax(1)].permute(0, 3, 1, 2)
        return Shown(photo.float() / 127.5 - 1, torch.zeros(len(drawn), device=drawn.device))


def _palette(device: torch.device) -> Tensor:
    return torch.from_numpy(PALETTE).to(device)
