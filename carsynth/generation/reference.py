"""What drawn maps and painted photos are held against: the training set, in a small file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from carsynth.data.files import replace_atomically
from carsynth.errors import UserError
from carsynth.generation.rules import MapRules
from carsynth.metrics.memorisation import FEWEST, threshold_of
from carsynth.metrics.neighbours import looks_of, nearest_by_looks


class Reference(NamedTuple):
    """Rules for maps, and the looks of training photos that no picture may repeat."""

    rules: MapRules
    looks: Tensor
    """float32 (N, 3, 16, 16)."""
    names: tuple[str, ...]
    threshold: float
    """Ratio to the nearest look below which a picture counts as a copy; each training photo,
    left out in turn, sets it."""

    @classmethod
    def learn(
        cls, photos: Sequence[Tensor], maps: NDArray[np.integer], names: Sequence[str]
    ) -> Self:
        """From training photos, uint8 batches (B, 3, H, W), and their maps (N, H, W).

        Raises:
            UserError: fewer than three different photos.
        """
        looks = torch.cat([looks_of(batch) for batch in photos])
        ratio = looks.new_zeros(0)
        if len(looks) >= FEWEST:
            ratio = nearest_by_looks(looks, looks, torch.arange(len(looks))).ratio
        # Photos that are there twice say nothing of how near others come by chance.
        if len(ratio := ratio[ratio > 0]) < FEWEST:
            raise UserError(
                f"there are {len(looks)} training photos, fewer than {FEWEST} of them different: "
                "what a copy is cannot be learnt from so few; add some"
            )
        return cls(MapRules.learn(maps), looks, tuple(names), threshold_of(ratio))

    def copied(self, photo: Tensor) -> list[str | None]:
        """For photos, uint8 (B, 3, H, W), the training photo that each repeats, or None."""
        nearest = nearest_by_looks(looks_of(photo), self.looks)
        found = zip(nearest.ratio.tolist(), nearest.train.tolist(), strict=True)
        return [self.names[index] if r < self.threshold else None for r, index in found]

    def save(self, path: Path) -> None:
        """Writes the file that :meth:`load` reads."""
        rules = {
            key: torch.from_numpy(value) if isinstance(value, np.ndarray) else value
            for key, value in self.rules._asdict().items()
        }
        content = {**self._asdict(), "rules": rules}
        replace_atomically(path, lambda file: torch.save(content, file))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads the file without executing anything.

        Raises:
            UserError: it is missing or no such file.
        """
        try:
            content = torch.load(path, weights_only=True)
            rules: dict[str, Any] = {
                key: value.numpy() if isinstance(value, Tensor) else value
                for key, value in content["rules"].items()
            }
            return cls(**{**content, "rules": MapRules(**rules)})
        except Exception as error:  # torch raises nearly anything on a foreign file
            why = str(error).partition("\n")[0]
            raise UserError(f"reference={path} cannot be read ({why}): make it again") from error
