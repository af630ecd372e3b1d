import json
from pathlib import Path

import pytest

from carsynth.data.splits import load_splits
from carsynth.errors import UserError
from carsynth.usefulness_study.subsets import labelled_subset, save_subset_splits, subset_splits
from tests.usefulness.small_study import names

SPLITS = {"train": names(0, 80), "validation": names(80, 90), "test": names(90, 100)}


def test_subsets_are_nested_whatever_the_order_of_names() -> None:
    subsets = [set(labelled_subset(SPLITS["train"], count, 3)) for count in (10, 25, 50, 80)]
    assert [len(subset) for subset in subsets] == [10, 25, 50, 80]
    assert subsets[0] < subsets[1] < subsets[2] < subsets[3] == set(SPLITS["train"])
    assert labelled_subset(SPLITS["train"][::-1], 25, 3) == tuple(sorted(subsets[1]))
    assert labelled_subset(SPLITS["train"], 25, 4) != tuple(sorted(subsets[1]))


def test_more_than_there_are_is_refused() -> None:
    with pytest.raises(UserError, match=r"81 real pictures .* has 80"):
        labelled_subset(SPLITS["train"], 81, 0)


def test_a_generator_gets_the_subset_and_no_other_label(tmp_path: Path) -> None:
    path = tmp_path / "splits.json"
    save_subset_splits(SPLITS, 25, 0, path)
    splits = load_splits(path, names(0, 100))
    assert {len(splits["train"]), len(splits["validation"])} == {20, 5}
    assert {*splits["train"], *splits["validation"]} == {*labelled_subset(SPLITS["train"], 25, 0)}
    assert splits["test"] == SPLITS["test"]
    assert json.loads(path.read_text()).keys() == splits.keys()


def test_too_few_to_choose_an_epoch_by_are_refused() -> None:
    assert len(subset_splits(SPLITS, 3, 0)["train"]) == 1
    with pytest.raises(UserError, match="give 3 or more"):
        subset_splits(SPLITS, 2, 0)
