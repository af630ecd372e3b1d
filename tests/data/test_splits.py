"""Which sample is in which split: drawn by seed and name, kept in a file."""

import json
from pathlib import Path

import pytest

from carsynth.data.splits import SPLITS, draw_splits, load_splits, save_splits
from carsynth.errors import UserError

NAMES = [f"car-{i:03d}" for i in range(100)]


def sizes(count: int, *fractions: float) -> list[int]:
    splits = draw_splits(NAMES[:count], fractions, 0)
    return [len(splits[split]) for split in SPLITS]


def test_splits_part_the_names() -> None:
    splits = draw_splits(NAMES, [0.8, 0.1, 0.1], 3)
    assert sorted(name for names in splits.values() for name in names) == NAMES
    assert all(list(names) == sorted(names) for names in splits.values())


def test_the_draw_depends_on_seed_and_names_alone() -> None:
    splits = draw_splits(NAMES, [0.8, 0.1, 0.1], 3)
    assert draw_splits(NAMES[::-1], [0.8, 0.1, 0.1], 3) == splits
    assert draw_splits(NAMES, [0.8, 0.1, 0.1], 4) != splits


@pytest.mark.parametrize(
    ("count", "fractions", "expected"),
    [
        (100, (0.8, 0.1, 0.1), [80, 10, 10]),
        (100, (0.925, 0, 0.075), [93, 0, 7]),
        (7, (0.8, 0.1, 0.1), [5, 1, 1]),
        (3, (0.98, 0.01, 0.01), [1, 1, 1]),
        (10, (0.98, 0.01, 0.01), [8, 1, 1]),
        (100, (0.1, 0.05, 0.0), [10, 5, 0]),
        (5, (1.0, 0.0, 0.0), [5, 0, 0]),
    ],
)
def test_sizes(count: int, fractions: tuple[float, ...], expected: list[int]) -> None:
    assert sizes(count, *fractions) == expected


def test_too_few_samples_say_how_many_are_needed() -> None:
    with pytest.raises(UserError, match="2 samples cannot fill 3 splits: add 1 more"):
        sizes(2, 0.8, 0.1, 0.1)


@pytest.mark.parametrize("fractions", [(0.8, 0.2), (0.8, 0.3, 0.1), (-0.1, 0.5, 0.5), (0, 0, 0)])
def test_fractions_must_make_sense(fractions: tuple[float, ...]) -> None:
    with pytest.raises(UserError, match="three numbers from 0 to 1"):
        sizes(10, *fractions)


def test_a_stored_file_comes_back(tmp_path: Path) -> None:
    splits = draw_splits(["é", "b/c", "d"], [0.4, 0.3, 0.3], 0)
    path = tmp_path / "run" / "splits.json"
    save_splits(splits, path)
    assert load_splits(path, ["é", "b/c", "d", "new"]) == splits
    assert [file.name for file in path.parent.iterdir()] == ["splits.json"]


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "splits.json"
    path.write_text("old")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        save_splits({"train": ("a",)}, path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_stored_files_that_do_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "splits.json"
    with pytest.raises(UserError, match=r"splits\.json does not exist"):
        load_splits(path, NAMES)
    for content in ("{", "[]", '{"train": []}', '{"train": 1, "validation": [], "test": []}'):
        path.write_text(content)
        with pytest.raises(UserError, match=r"splits\.json cannot be read: it should hold"):
            load_splits(path, NAMES)
    path.write_text(json.dumps({"train": ["car-001", "x", "y"], "validation": [], "test": []}))
    with pytest.raises(UserError, match=r"lists x \(2 such in all\), which the data lack"):
        load_splits(path, NAMES)
    path.write_text(json.dumps({"train": ["car-001"], "validation": ["car-001"], "test": []}))
    with pytest.raises(UserError, match="lists car-001 twice"):
        load_splits(path, NAMES)
