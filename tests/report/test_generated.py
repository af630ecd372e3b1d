"""Counts and examples of generated sets, read back from real shards."""

from collections import Counter
from pathlib import Path

import pytest

from carsynth.generation.shards import shard_path, write_shard
from carsynth.report.balance import Kind, balance_figure
from carsynth.report.reading import Lacking
from carsynth.report.shards import examples, infos
from tests.report.results import GENERATED, toy


def test_every_picture_of_every_shard_is_counted(result: Path) -> None:
    views = Counter(info["view"] for info in infos(result / "generated"))
    assert views == Counter(car.info["view"] for car in toy(GENERATED, 5))


def test_examples_are_the_first_of_each_shard(result: Path) -> None:
    assert [one.name for one in examples(result / "generated", 5)] == [
        "00000000", "00000010", "00000011", "00000020", "00000021"
    ]  # fmt: skip
    assert [one.name for one in examples(result / "generated", 2)] == ["00000000", "00000010"]
    assert len(examples(result / "generated", 300)) == GENERATED


def test_a_map_is_shown_once_however_many_photos_it_has(tmp_path: Path) -> None:
    cars = [car._replace(info={"map": number // 3}) for number, car in enumerate(toy(9))]
    write_shard(shard_path(tmp_path, 0), cars, {})
    assert [one.info["map"] for one in examples(tmp_path, 2)] == [0, 1]


def test_a_damaged_shard_is_named(tmp_path: Path) -> None:
    write_shard(shard_path(tmp_path, 0), toy(2), {})
    whole = shard_path(tmp_path, 0).read_bytes()
    shard_path(tmp_path, 0).write_bytes(whole[:700])
    with pytest.raises(Lacking, match=r"shard-000000\.tar is damaged"):
        list(infos(tmp_path))
    with pytest.raises(Lacking, match="holds no shard"):
        list(infos(tmp_path / "none"))


def test_bars_are_shares_and_carry_counts() -> None:
    kinds = [
        Kind("view", {"A": 1, "B": 3}, {"A": 5, "B": 5}),
        Kind("class", {"x": 4}, {"x": 0}),
    ]
    figure = balance_figure(kinds)
    views, classes = figure.axes
    assert [bar.get_width() for bar in views.patches] == [25.0, 75.0, 50.0, 50.0]
    assert [bar.get_width() for bar in classes.patches] == [100.0, 0.0]
    assert [text.get_text().strip() for text in views.texts] == ["1", "3", "5", "5"]
    assert [text.get_text() for text in views.get_yticklabels()] == ["A", "B"]
