"""Workers: what was ordered comes about, whoever makes it; what is thrown away is counted."""

from collections import Counter
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import pytest
import torch

from carsynth.errors import UserError
from carsynth.export.labelled import LabelledPicture
from carsynth.generation.kinds import KINDS
from carsynth.generation.order import Order, make_order
from carsynth.generation.reference import Reference
from carsynth.generation.worker import Shard, Worker
from carsynth.labels import BODY, VIEWS, view_of_part_map
from tests.generation.stand_ins import (
    SIZE,
    NoisyPainter,
    PartMap,
    StoredMaps,
    toy_maps,
    toy_photos,
    toy_reference,
)
from tests.modules.latent_runs import module_of


@pytest.fixture(scope="module")
def reference() -> Reference:
    return toy_reference()


@pytest.fixture(scope="module")
def maps() -> list[PartMap]:
    """Maps that pass, and as many in which the car is a body alone or cut in two."""
    whole = toy_maps(100, 1)
    broken = [np.where(one > 0, BODY, 0).astype(np.uint8) for one in whole[:50]]
    broken += [np.where(np.arange(SIZE[1]) == SIZE[1] // 2, 0, one) for one in whole[50:]]
    return whole + broken


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def order(count: int, balance: dict[str, Any], photos: int = 1, seed: int = 0) -> Order:
    return make_order(count, balance, ("alvar", "brenna"), photos, seed)


def worker(
    maps: Any, painter: Any, reference: Reference | None, made: Order, attempts: int = 100
) -> Worker:
    return Worker(maps, painter, SIZE, reference, made, 20, attempts)


def everything(one: Worker) -> list[Shard]:
    return [one.make(number) for number in range(one.num_shards)]


def same(ours: LabelledPicture, theirs: LabelledPicture) -> bool:
    alike = np.array_equal(ours.photo, theirs.photo)
    return alike and np.array_equal(ours.part_map, theirs.part_map) and ours[::3] == theirs[::3]


def test_what_was_ordered_comes_about_and_the_counts_add_up(
    maps: list[PartMap], reference: Reference
) -> None:
    made = order(70, {"view": "uniform", "doors": {3: 0.3, 5: 0.7}})
    painter = NoisyPainter(toy_photos(100, 1), often=0.3)
    shards = everything(worker(StoredMaps(maps), painter, reference, made, attempts=1000))
    pictures = [one for shard in shards for one in shard.pictures]
    assert [one.name for one in pictures] == [f"{number:08d}" for number in range(70)]
    for one in pictures:
        wish = made.wishes[one.info["map"]]
        assert {kind: one.info[kind] for kind in wish} == wish
        assert {kind: KINDS[kind].read(one.part_map) for kind in wish} == wish
        assert reference.rules.objection(one.part_map) is None
        assert one.info["synthetic"] is True
    photos = torch.from_numpy(np.stack([one.photo for one in pictures])).permute(0, 3, 1, 2)
    assert reference.copied(photos) == [None] * 70
    for shard in shards:
        thrown_away = sum(one.info["attempt"] for one in shard.pictures)
        assert thrown_away == shard.rejected.total()
    reasons = sum((shard.rejected for shard in shards), Counter[str]())
    assert reasons["copy of a training photo"] > 5
    assert reasons["view C in place of A"] > 5
    assert reasons["doors unknown in place of 5"] > 0
    assert reasons["car in pieces"] + reasons["too few parts"] > 0


def test_pictures_differ(maps: list[PartMap], reference: Reference) -> None:
    made = order(60, {})
    shards = everything(worker(StoredMaps(maps[:100]), NoisyPainter(), reference, made))
    pictures = [one for shard in shards for one in shard.pictures]
    assert len({one.photo.tobytes() for one in pictures}) == 60
    assert len({one.part_map.tobytes() for one in pictures}) > 35


class LastDigits:
    """Shows the digits that the roundings of sums are seen in."""

    def __init__(self, painting: Any) -> None:
        self._painting = painting
        self.device = painting.device

    def draw(self, part_map: torch.Tensor, draws: torch.Generator) -> torch.Tensor:
        photo: torch.Tensor = self._painting.draw(part_map, draws)
        return (photo * 1e6).frac()


@pytest.mark.parametrize("experiment", ["pix2pixhd", "looks"])
def test_a_shard_is_the_same_whoever_makes_it(
    experiment: str, maps: list[PartMap], reference: Reference, threads: None
) -> None:
    words = ("data.size=[32,32]", "arch.blocks=1", "arch.map_encoding=classes")
    drawing = module_of("fewshot", *words[::2], "arch.diffaug.colour=false").eval()
    looks = ("arch=pix2pixhd_looks",) if experiment == "looks" else ()
    painting = module_of("pix2pixhd", *looks, *words[:2]).eval()
    if experiment == "looks":
        means = torch.rand(300, 20, 3, generator=torch.Generator().manual_seed(0))
        cast(Any, painting).clusters.fit(means, torch.Generator().manual_seed(0))
    made = order(53, {}, seed=5)  # a last shard of 13, a last batch of 4
    found = []
    for count, turns in ((1, (0, 1, 2)), (2, (2, 1, 0)), (3, (1, 2, 0)), (4, (2, 0, 1))):
        torch.set_num_threads(count)
        one = worker(drawing, LastDigits(painting), None, made)
        shards = {number: one.make(number) for number in turns}
        found.append([p for number in range(3) for p in shards[number].pictures])
        assert torch.get_num_threads() == count
    for others in found[1:]:
        assert all(same(*pair) for pair in zip(found[0], others, strict=True))
    assert len({one.photo.tobytes() for one in found[0]}) > 40


def test_several_photos_share_a_map(maps: list[PartMap], reference: Reference) -> None:
    made = order(50, {"view": "uniform"}, photos=3)
    painter = NoisyPainter(toy_photos(100, 1), often=0.1)
    shards = everything(worker(StoredMaps(maps), painter, reference, made))
    pictures = [one for shard in shards for one in shard.pictures]
    assert [one.info["map"] for one in pictures] == [number // 3 for number in range(50)]
    for index in range(made.num_maps):
        own = [pictures[number] for number in made.photos_of(index)]
        assert len({one.part_map.tobytes() for one in own}) == 1
        assert len({one.photo.tobytes() for one in own}) == len(own)
    maps_attempts = sum(one.info["attempt"] for one in pictures[::3])
    assert maps_attempts == sum(shard.rejected.total() for shard in shards)


def test_without_a_reference_nothing_but_the_wish_counts(maps: list[PartMap]) -> None:
    stored = toy_photos(100, 1)
    one = worker(StoredMaps(maps), NoisyPainter(stored, often=1.0), None, order(20, {}), 1)
    assert not one.make(0).rejected
    one = worker(StoredMaps(maps), NoisyPainter(), None, order(20, {"view": {"A": 1}}))
    shard = one.make(0)
    assert all(reason.endswith("in place of A") for reason in shard.rejected)
    assert {view_of_part_map(p.part_map) for p in shard.pictures} == {VIEWS.index("A")}


class Asked(StoredMaps):
    """Notes the classes that it is asked for."""

    def paint(self, latent: Any, label: Any) -> Any:
        self.labels = [*getattr(self, "labels", []), *label.tolist()]
        return super().paint(latent, label)


def test_classes_are_asked_for(maps: list[PartMap]) -> None:
    made = make_order(40, {"class": {"brenna": 1, "alvar": 3}}, ("alvar", "brenna"), 1, 0)
    drawing = Asked(maps, ("alvar", "brenna"))
    shards = everything(worker(drawing, NoisyPainter(), None, made))
    asked = [one.info["class"] for shard in shards for one in shard.pictures]
    assert asked == [wish["class"] for wish in made.wishes]
    assert Counter(asked) == {"alvar": 30, "brenna": 10}
    assert drawing.labels == [("alvar", "brenna").index(name) for name in asked]
    by_view = Asked(maps, VIEWS)
    shard = worker(by_view, NoisyPainter(), None, order(20, {"view": {"B": 1}})).make(0)
    assert set(by_view.labels) == {VIEWS.index("B")}
    assert {one.info["class"] for one in shard.pictures} == {"B"}
    free = worker(Asked(maps, ("alvar", "brenna")), NoisyPainter(), None, order(20, {})).make(0)
    assert {one.info["class"] for one in free.pictures} == {"alvar", "brenna"}


def test_a_view_that_never_comes_about_is_named_with_what_is_there(
    maps: list[PartMap], reference: Reference
) -> None:
    no_a = [one for one in maps[:100] if KINDS["view"].read(one) in ("B", "C")]
    balance = {"view": {"A": 0.25, "B": 0.25, "C": 0.5}}
    one = worker(StoredMaps(no_a), NoisyPainter(), reference, order(20, balance), attempts=30)
    with pytest.raises(UserError) as raised:
        one.make(0)
    said = str(raised.value)
    assert "shard 0 lacks 5 maps (5 x view A) after 30 drawings of each" in said
    assert "x view B in place of A" in said
    assert "x view C in place of A" in said
    assert "raise attempts" in said


@pytest.mark.parametrize(("per_shard", "attempts"), [(0, 1), (1, 0), (2.5, 1)])
def test_numbers_below_one(per_shard: Any, attempts: int, reference: Reference) -> None:
    with pytest.raises(UserError, match="give a whole number from 1"):
        Worker(
            cast(Any, StoredMaps(toy_maps(1, 1))), cast(Any, NoisyPainter()), SIZE, reference,
            order(3, {}), per_shard, attempts,
        )  # fmt: skip
