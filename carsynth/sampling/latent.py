"""Pictures out of nothing but latents and classes, by models that draw from them."""

import difflib
from collections.abc import Iterator

import torch
from omegaconf import DictConfig
from torch import Tensor

from carsynth.errors import UserError
from carsynth.metrics.pixels import to_pictures
from carsynth.modules.latent_drawing import LatentDrawing
from carsynth.modules.latent_walk import spherical
from carsynth.sampling.painted import Drawn

_IMAGES = 16
_RANDOM = "random"
_STEPS = 12


class FromLatents:
    """As many pictures as asked for, of one class, of random classes, or of all in turn.

    A picture depends on the seed, its number and its class, and not on the batch it is drawn in.
    ``form=gif`` draws the frames of a walk from each picture's latent to the next one's, and back
    to the first.

    Raises:
        UserError: a class that the model does not know, or a setting it has no use for.
    """

    def __init__(self, module: LatentDrawing, config: DictConfig, size: tuple[int, int]):
        if config.maps is not None:
            raise UserError("maps: this model draws from latents and paints no maps; leave it out")
        if config.truncation is not None and not config.truncation > 0:
            raise UserError(f"truncation={config.truncation}: give a number above 0, such as 0.7")
        module.check_size(*size)
        self._module = module
        count: int = config.num_images or _IMAGES
        draws = torch.Generator().manual_seed(config.seed)
        self._labels = _labels(config.label, module.class_names, count, draws)
        self._latents = module.latents(count, draws, config.truncation)
        if config.form == "gif":
            self._latents, self._labels = _walk(self._latents, self._labels)
        self.total = len(self._latents)

    def drawn(self, batch_size: int) -> Iterator[list[Drawn]]:
        """All pictures, a batch at a time."""
        names = self._module.class_names
        for start in range(0, self.total, batch_size):
            part = slice(start, start + batch_size)
            labels = None if self._labels is None else self._labels[part]
            pictures = to_pictures(self._module.paint(self._latents[part], labels).photo)
            kinds = [""] * len(pictures) if labels is None else [f"_{names[i]}" for i in labels]
            yield [
                Drawn(f"{number:06d}{kind}", picture, picture)
                for number, (kind, picture) in enumerate(zip(kinds, pictures, strict=True), start)
            ]


def _labels(
    label: str | None, names: tuple[str, ...], count: int, draws: torch.Generator
) -> Tensor | None:
    """Class ids of ``count`` pictures; None where the model knows no classes."""
    if not names:
        if label not in (None, _RANDOM):
            raise UserError(f"label={label}: this model draws without classes; leave it out")
        return None
    if label is None:
        return torch.arange(count) % len(names)
    if label == _RANDOM:
        return torch.randint(len(names), (count,), generator=draws)
    if label not in names:
        close = difflib.get_close_matches(label, names, n=1)
        meant = f"; did you mean {close[0]}?" if close else ""
        raise UserError(
            f"label={label} is no class of this model, which knows {', '.join(names)}, and "
            f"label={_RANDOM} for any{meant}"
        )
    return torch.full((count,), names.index(label))


def _walk(latents: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Frames between each two latents in turn and from the last to the first; a class holds for
    the frames that begin with it."""
    legs = [
        spherical(latents[i], latents[(i + 1) % len(latents)], _STEPS + 1)[:-1]
        for i in range(len(latents))
    ]
    frames = None if labels is None else labels.repeat_interleave(_STEPS)
    return torch.cat(legs), frames
