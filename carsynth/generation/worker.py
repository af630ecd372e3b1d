"""One shard: maps drawn until each passes, painted, and drawn anew where a photo is a copy."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from carsynth.data.photos import resize_map
from carsynth.errors import UserError
from carsynth.export.labelled import LabelledPicture
from carsynth.generation.kinds import KINDS
from carsynth.generation.order import Order, Wish
from carsynth.generation.reference import Reference
from carsynth.metrics.part_statistics import maps_of_palette
from carsynth.metrics.pixels import to_pictures
from carsynth.modules.adversarial import AdversarialModule
from carsynth.modules.latent_gan import LatentGAN

_BATCH = 16
"""Maps that are painted at once: the same ones in every process, as sums round by batch."""


class Shard(NamedTuple):
    """What a worker made."""

    pictures: list[LabelledPicture]
    rejected: Counter[str]
    """Drawings thrown away, by reason."""


class _Candidate(NamedTuple):
    part_map: NDArray[np.uint8]
    label: int | None


class Worker:
    """Makes any shard of an order; what it makes depends on the order and the number alone.

    Args:
        maps: draws part maps from latents; in eval mode, as ``photos`` is.
        photos: paints part maps.
        size: height and width that ``photos`` paints at.
        attempts: how often a map may be drawn anew.
        check: whether maps that break the rules and photos that are copies are drawn anew.
    """

    def __init__(
        self,
        maps: LatentGAN,
        photos: AdversarialModule,
        size: tuple[int, int],
        reference: Reference,
        order: Order,
        maps_per_shard: int,
        attempts: int,
        check: bool,
    ) -> None:
        self._maps = maps
        self._photos = photos
        self._size = size
        self._reference = reference
        self._order = order
        self._maps_per_shard = maps_per_shard
        self._attempts = attempts
        self._check = check

    @property
    def num_shards(self) -> int:
        return -(-self._order.num_maps // self._maps_per_shard)

    def make(self, number: int) -> Shard:
        """The shard of that number.

        Raises:
            UserError: a map that was asked for did not come about in so many attempts.
        """
        first = number * self._maps_per_shard
        waiting = list(range(first, min(first + self._maps_per_shard, self._order.num_maps)))
        rejected: Counter[str] = Counter()
        done: dict[int, list[LabelledPicture]] = {}
        for attempt in range(self._attempts):
            passed: dict[int, _Candidate] = {}
            for index, candidate in zip(waiting, self._draw(waiting, attempt), strict=True):
                reason = self._objection(candidate, self._order.wishes[index])
                if reason is None:
                    passed[index] = candidate
                else:
                    rejected[reason] += 1
            for index, pictures in self._paint(passed, attempt).items():
                if pictures is None:
                    rejected["copy of a training photo"] += 1
                else:
                    done[index] = pictures
            waiting = [index for index in waiting if index not in done]
            if not waiting:
                return Shard([one for index in sorted(done) for one in done[index]], rejected)
        wish = self._order.wishes[waiting[0]]
        asked = ", ".join(f"{kind} {value}" for kind, value in wish.items()) or "any kind"
        seen = ", ".join(f"{count} x {reason}" for reason, count in rejected.most_common())
        raise UserError(
            f"{len(waiting)} of the maps of shard {number} ({asked}) did not come about in "
            f"{self._attempts} attempts each (rejected: {seen}): train the map model longer, ask "
            "for other shares in balance, or raise attempts"
        )

    @torch.no_grad()
    def _draw(self, indices: Sequence[int], attempt: int) -> list[_Candidate]:
        names = self._maps.class_names
        latents, labels = [], []
        for index in indices:
            draws = torch.Generator().manual_seed(_seed(self._order.seed, index, attempt))
            latents.append(self._maps.latents(1, draws))
            wanted = [v for v in self._order.wishes[index].values() if v in names]
            chance = int(torch.randint(max(1, len(names)), (), generator=draws))
            labels.append(names.index(wanted[0]) if wanted else chance)
        asked = torch.tensor(labels) if names else None
        drawn = to_pictures(self._maps.paint(torch.cat(latents), asked).photo)
        maps = maps_of_palette(drawn).astype(np.uint8)
        return [
            _Candidate(resize_map(one, self._size), label if names else None)
            for one, label in zip(maps, labels, strict=True)
        ]

    def _objection(self, candidate: _Candidate, wish: Wish) -> str | None:
        for kind, value in wish.items():
            if kind in KINDS and (shown := KINDS[kind].read(candidate.part_map)) != value:
                return f"{kind} {shown or 'unknown'} in place of {value}"
        return self._reference.rules.objection(candidate.part_map) if self._check else None

    @torch.no_grad()
    def _paint(
        self, passed: dict[int, _Candidate], attempt: int
    ) -> dict[int, list[LabelledPicture] | None]:
        """The photos of each map; None where one of them is a copy."""
        turns = [(index, number) for index in passed for number in self._order.photos_of(index)]
        painted: dict[int, list[LabelledPicture] | None] = {index: [] for index in passed}
        for start in range(0, len(turns), _BATCH):
            part = turns[start : start + _BATCH]
            part_maps = torch.from_numpy(np.stack([passed[index].part_map for index, _ in part]))
            draws = torch.Generator().manual_seed(_seed(self._order.seed, part[0][1], attempt))
            on_device = part_maps.long().to(self._photos.device)
            pictures = to_pictures(self._photos.draw(on_device, draws))
            copied: list[str | None] = [None] * len(part)
            if self._check:
                copied = self._reference.copied(torch.from_numpy(pictures).permute(0, 3, 1, 2))
            for (index, number), picture, source in zip(part, pictures, copied, strict=True):
                if source is not None:
                    painted[index] = None
                elif (own := painted[index]) is not None:
                    info = self._info(index, attempt, passed[index])
                    own.append(
                        LabelledPicture(f"{number:08d}", picture, passed[index].part_map, info)
                    )
        return painted

    def _info(self, index: int, attempt: int, candidate: _Candidate) -> dict[str, Any]:
        info: dict[str, Any] = {
            "synthetic": True,
            "map": index,
            "attempt": attempt,
            "seed": self._order.seed,
        }
        info |= {kind: one.read(candidate.part_map) for kind, one in KINDS.items()}
        if candidate.label is not None:
            info["class"] = self._maps.class_names[candidate.label]
        return info


def _seed(seed: int, index: int, attempt: int) -> int:
    words = hashlib.sha256(f"{seed} {index} {attempt}".encode()).digest()
    return int.from_bytes(words[:7])
