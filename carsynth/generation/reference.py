"""What drawn maps and painted photos are held against: the training set, in a small file."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from carsynth.data.files import replace_atomically
from carsynth.errors import UserError
from carsynth.generation.rules import MapRules
from carsynth.metrics.memorisation import threshold_of
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
        """From training photos, uint8 batches (B, 3, H, W), and their maps (N, H, W)."""
        looks = torch.cat([looks_of(batch) for batch in photos])
        everyone = torch.arange(len(looks))
        ratio = nearest_by_looks(looks, looks, everyone).ratio
        return cls(MapRules.learn(maps), looks, tuple(names), threshold_of(ratio))

    def copied(self, photo: Tensor) -> list[str | None]:
        """For photos, uint8 (B, 3, H, W), the training photo that each repeats, or None."""
        nearest = nearest_by_looks(looks_of(photo), self.looks)
        found = zip(nearest.ratio.tolist(), nearest[0].tolist(), strict=True)
        return [self.names[index] if r < self.threshold else None for r, index in found]

    def save(self, path: Path) -> None:
        """Writes the file that :meth:`load` reads."""
        rules = {k: torch.as_tensor(v) for k, v in self.rules._asdict().items()}
        content = {**self._asdict(), "rules": rules, "names": list(self.names)}
        replace_atomically(path, lambda file: torch.save(content, file))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads the file without executing anything.

        Raises:
            UserError: it is missing or no such file.
        """
        try:
            content = torch.load(path, weights_only=True)
            held = content["rules"]
            rules = MapRules(
                tuple(held["area"].tolist()),
                float(held["apart"]),
                float(held["specks"]),
                int(held["fewest"]),
                held["together"].numpy(),
                held["always"].numpy(),
            )
            names, threshold = tuple(content["names"]), float(content["threshold"])
            return cls(rules, content["looks"], names, threshold)
        except Exception as error:
            raise UserError(f"reference={path} cannot be read ({error}): make it again") from error
