"""One shard: maps drawn until each passes, painted, and drawn anew where a photo is a copy."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from carsynth.data.photos import resize_map
from carsynth.errors import UserError
from carsynth.export.labelled import LabelledPicture
from carsynth.generation.batches import Over, batches_of, several_at_once
from carsynth.generation.kinds import KINDS
from carsynth.generation.order import Order, Wish, check_count
from carsynth.generation.reference import Reference
from carsynth.metrics.part_statistics import maps_of_palette
from carsynth.metrics.pixels import to_pictures
from carsynth.modules.generative import GenerativeModule
from carsynth.modules.latent_drawing import LatentDrawing

_COPY = "copy of a training photo"
_SHOWN = 8
"""Wishes and reasons that an error tells of."""


class Shard(NamedTuple):
    """What a worker made."""

    pictures: list[LabelledPicture]
    rejected: Counter[str]
    """Drawings thrown away, by reason; each picture's ``attempt`` says how many for its map."""


class _Candidate(NamedTuple):
    part_map: NDArray[np.uint8]
    label: int | None


class Worker:
    """Makes any shard of an order; what it makes depends on the order and the number alone.

    Sums round by the size of a batch and by the threads that share it. Each batch of a shard is
    therefore the same in every process, and one thread's; as many batches are at work at a time
    as torch has threads.

    Args:
        maps: draws part maps from latents; in eval mode, as ``photos`` is.
        photos: paints part maps.
        size: height and width that ``photos`` paints at.
        reference: has maps that break its rules and photos that are copies drawn anew; None lets
            them pass.
        attempts: how often a map may be drawn.

    Raises:
        UserError: a number below 1.
    """

    def __init__(
        self,
        maps: LatentDrawing,
        photos: GenerativeModule,
        size: tuple[int, int],
        reference: Reference | None,
        order: Order,
        maps_per_shard: int,
        attempts: int,
    ) -> None:
        check_count("maps_per_shard", maps_per_shard)
        check_count("attempts", attempts)
        self._maps = maps
        self._photos = photos
        self._size = size
        self._reference = reference
        self._order = order
        self._maps_per_shard = maps_per_shard
        self._attempts = attempts

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
        with several_at_once(self._photos.device) as over:
            for attempt in range(self._attempts):
                drawn = self._draw(waiting, attempt, over)
                rejected.update(reason for reason in drawn.values() if isinstance(reason, str))
                passed = {i: one for i, one in drawn.items() if isinstance(one, _Candidate)}
                for index, pictures in self._paint(passed, attempt, over).items():
                    if pictures is None:
                        rejected[_COPY] += 1
                    else:
                        done[index] = pictures
                waiting = [index for index in waiting if index not in done]
                if not waiting:
                    return Shard([one for index in sorted(done) for one in done[index]], rejected)
        raise self._in_vain(number, waiting, rejected)

    # Maps ---------------------------------------------------------------------------------------

    def _draw(
        self, indices: Sequence[int], attempt: int, over: Over
    ) -> dict[int, _Candidate | str]:
        """A drawing for each map, or what is wrong with it."""
        work = partial(self._draw_batch, attempt)
        drawn = [one for part in over(work, batches_of(indices)) for one in part]
        return dict(zip(indices, drawn, strict=True))

    @torch.no_grad()
    def _draw_batch(self, attempt: int, indices: Sequence[int]) -> list[_Candidate | str]:
        latents, labels = [], []
        for index in indices:
            draws = torch.Generator().manual_seed(_seed("map", self._order.seed, index, attempt))
            latents.append(self._maps.latents(1, draws))
            labels.append(self._label(self._order.wishes[index], draws))
        asked = torch.tensor(labels) if self._maps.class_names else None
        drawn = to_pictures(self._maps.paint(torch.cat(latents), asked).photo)
        found: list[_Candidate | str] = []
        for index, one, label in zip(indices, maps_of_palette(drawn), labels, strict=True):
            part_map = resize_map(one.astype(np.uint8), self._size)
            reason = self._objection(part_map, self._order.wishes[index])
            found.append(reason or _Candidate(part_map, label))
        return found

    def _label(self, wish: Wish, draws: torch.Generator) -> int | None:
        """The class to ask for; a view is one where the model's classes are views."""
        names = self._maps.class_names
        if not names:
            return None
        chance = int(torch.randint(len(names), (), generator=draws))
        asked = [wish["class"]] if "class" in wish else [v for v in wish.values() if v in names]
        return names.index(asked[0]) if asked else chance

    def _objection(self, part_map: NDArray[np.uint8], wish: Wish) -> str | None:
        for kind, value in wish.items():
            if kind in KINDS and (shown := KINDS[kind].read(part_map)) != value:
                return f"{kind} {shown or 'unknown'} in place of {value}"
        return None if self._reference is None else self._reference.rules.objection(part_map)

    # Photos -------------------------------------------------------------------------------------

    def _paint(
        self, passed: dict[int, _Candidate], attempt: int, over: Over
    ) -> dict[int, list[LabelledPicture] | None]:
        """The photos of each map; None where one of them is a copy."""
        turns = [
            (number, candidate.part_map)
            for index, candidate in passed.items()
            for number in self._order.photos_of(index)
        ]
        parts = over(partial(self._paint_batch, attempt), batches_of(turns))
        photos = dict(zip((n for n, _ in turns), (one for p in parts for one in p), strict=True))
        painted: dict[int, list[LabelledPicture] | None] = {}
        for index, candidate in passed.items():
            info = self._info(index, attempt, candidate)
            own = [
                LabelledPicture(f"{number:08d}", photo, candidate.part_map, info)
                for number in self._order.photos_of(index)
                if (photo := photos[number]) is not None
            ]
            painted[index] = own if len(own) == len(self._order.photos_of(index)) else None
        return painted

    @torch.no_grad()
    def _paint_batch(
        self, attempt: int, turns: Sequence[tuple[int, NDArray[np.uint8]]]
    ) -> list[NDArray[np.uint8] | None]:
        """Photos of part maps, each with its number; None in the place of a copy."""
        words = ("photo", self._order.seed, turns[0][0], attempt)
        draws = torch.Generator().manual_seed(_seed(*words))
        part_maps = torch.from_numpy(np.stack([part_map for _, part_map in turns])).long()
        photos = to_pictures(self._photos.draw(part_maps.to(self._photos.device), draws))
        if self._reference is None:
            return list(photos)
        copied = self._reference.copied(torch.from_numpy(photos).permute(0, 3, 1, 2))
        return [one if of is None else None for one, of in zip(photos, copied, strict=True)]

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

    # --------------------------------------------------------------------------------------------

    def _in_vain(self, number: int, waiting: Sequence[int], rejected: Counter[str]) -> UserError:
        wishes = (self._order.wishes[index] for index in waiting)
        asked = Counter(
            " and ".join(f"{kind} {value}" for kind, value in wish.items()) or "any kind"
            for wish in wishes
        )
        return UserError(
            f"shard {number} lacks {len(waiting)} maps ({_counted(asked)}) after {self._attempts} "
            f"drawings of each; thrown away in this shard: {_counted(rejected)}. Train the map "
            "model longer, ask for other shares in balance, or raise attempts"
        )


def _counted(counter: Counter[str]) -> str:
    shown = ", ".join(f"{count} x {what}" for what, count in counter.most_common(_SHOWN))
    return shown + (" and more" if len(counter) > _SHOWN else "")


def _seed(purpose: str, seed: int, index: int, attempt: int) -> int:
    words = hashlib.sha256(f"{purpose} {seed} {index} {attempt}".encode()).digest()
    return int.from_bytes(words[:7])
