import json
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf
from PIL import Image

from carsynth.cli import CONFIG_DIR
from carsynth.errors import UserError
from carsynth.generation.reference import Reference
from carsynth.stages.commands import quoted, words_of
from carsynth.stages.data import prepare_data, reference_file, splits_file

HERE = "it's here"


def config(*words: str) -> DictConfig:
    with initialize_config_dir(CONFIG_DIR, version_base="1.3"):
        return compose("pipeline", ["data.size=[32,32]", "output_dir=out", *words])


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def test_each_count_has_its_own_pictures_and_all_share_the_test_split(tmp_path: Path) -> None:
    prepare_data(config("data.source.length=60"), [20, 40], tmp_path)
    splits, study = read(splits_file(tmp_path, "all")), read(splits_file(tmp_path, "study"))
    pool = {*splits["train"], *splits["validation"]}
    assert {*study["train"]} == pool
    assert len(pool) == 54
    seen = {}
    for count in (20, 40):
        own = read(splits_file(tmp_path, str(count)))
        assert own["test"] == study["test"] == splits["test"]
        seen[count] = {*own["train"], *own["validation"]}
        assert len(own["train"]) + len(own["validation"]) == len(seen[count]) == count
        reference = Reference.load(reference_file(tmp_path, str(count)))
        assert set(reference.names) == {*own["train"]}
    assert seen[20] < seen[40] < pool
    counts = read(tmp_path / "counts.json")
    assert counts["all"]["train"] == len(splits["train"]) == sum(counts["all"]["view"].values())
    assert Image.open(tmp_path / "examples.png").width > 500


def test_photos_without_maps_are_refused(tmp_path: Path) -> None:
    for make in ("a", "b"):
        (tmp_path / "data" / make).mkdir(parents=True)
        for index in range(10):
            Image.new("RGB", (32, 32)).save(tmp_path / "data" / make / f"{index}.png")
    with pytest.raises(UserError, match="have no part maps"):
        prepare_data(config("data=class_folders", f"data.root={tmp_path / 'data'}"), [], tmp_path)


def test_words_bring_a_node_over_to_another_door() -> None:
    data = config("data=paired_folders", f"data.root={quoted(HERE)}", "data.batch_size=3").data
    with initialize_config_dir(CONFIG_DIR, version_base="1.3"):
        other = compose("usefulness", ["data=paired_folders", *words_of(data, "data")])
    assert other.data.root == HERE
    assert other.data.batch_size == 3
    assert other.data.source.photos == f"{HERE}/photos"


def test_a_balance_is_one_word() -> None:
    balance = OmegaConf.create({"view": "uniform", "doors": {3: 0.5, 5: 0.5}})
    word = OverridesParser.create().parse_override(f"balance={quoted(balance)}")
    assert word.value() == {"view": "uniform", "doors": {3: 0.5, 5: 0.5}}
