import csv
import errno
import json
from collections import Counter
from pathlib import Path

import pytest
import torch
from PIL import Image

from carsynth.errors import UserError
from carsynth.metrics.segmentation import PartIoU
from carsynth.usefulness_study import training
from carsynth.usefulness_study.plan import MIXES
from carsynth.usefulness_study.study import study
from tests.usefulness.small_study import (
    FIRST_SYNTHETIC,
    REAL,
    Watched,
    made,
    names,
    numbers,
    plan,
)

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec", "ignore:.*accelerator")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Watched]]:
    """A finished study and its segmenters; look, do not touch."""
    folder, trained = tmp_path_factory.mktemp("study") / "out", list[Watched]()
    one = made()
    study(plan(folder, trained, synthetic={8: one, 16: one}))
    return folder, trained[1:]  # the first was made to be checked alone


def test_each_training_makes_equal_steps_of_equal_batches_on_its_own_pictures(
    finished: tuple[Path, list[Watched]],
) -> None:
    folder, trained = finished
    # Two counts of three mixes and two seeds; synthetic-only is the same training for both counts.
    assert len(trained) == 2 * 3 * 2 - 2
    assert {len(module.seen) for module in trained} == {5}
    assert {len(batch) for module in trained for batch in module.seen} == {4}
    told = plan(folder)
    kinds = Counter[int]()
    for module in trained:
        halves = {sum(number < FIRST_SYNTHETIC for number in batch) for batch in module.seen}
        assert len(halves) == 1
        kinds[halves.pop()] += 1
        seen = {number for batch in module.seen for number in batch}
        assert not seen & numbers(told.splits["test"])
        assert {n for n in seen if n < FIRST_SYNTHETIC} <= numbers(told.labelled(16))
    assert kinds == {4: 4, 2: 4, 0: 2}
    # The first six are of eight real pictures.
    seen = {number for module in trained[:6] for batch in module.seen for number in batch}
    assert {n for n in seen if n < FIRST_SYNTHETIC} == numbers(told.labelled(8))
    records = [json.loads(path.read_text()) for path in (folder / "trainings").glob("*.json")]
    assert {record["steps"] for record in records} == {5}


def test_a_mix_of_sets_of_equal_order_shows_no_car_beside_its_copy(tmp_path: Path) -> None:
    trained = list[Watched]()
    told = plan(tmp_path / "out", trained, synthetic={8: made(length=8)}, seeds=[0])
    study(told)
    places = sorted(numbers(told.labelled(8)))
    beside = [
        ([places.index(n) for n in batch[:2]], [n - FIRST_SYNTHETIC for n in batch[2:]])
        for batch in trained[-1].seen
    ]
    assert len(beside) == 5
    assert sum(real == copies for real, copies in beside) < len(beside) - 1


def test_the_report_says_what_the_trainings_found(finished: tuple[Path, list[Watched]]) -> None:
    folder, trained = finished
    found = json.loads((folder / "usefulness.json").read_text())
    assert [(row["real_count"], row["mix"]) for row in found["rows"]] == [
        (count, mix) for count in (8, 16) for mix in MIXES
    ]
    assert found["rows"][0]["generator_saw"] is None
    assert "not stated" in found["rows"][1]["generator_saw"]
    assert any("not known" in line for line in found["protocol"])
    assert any("one synthetic set serves all rows" in line for line in found["protocol"])
    # The weights of the first training, tested again here.
    told, iou = plan(folder), PartIoU()
    module = trained[0].eval()
    for name in told.splits["test"]:
        sample = told.real.read(told.real.names.index(name), told.size)
        photo = torch.from_numpy(sample.photo.copy()).permute(2, 0, 1)[None]
        with torch.no_grad():
            predicted = module(photo).argmax(1)
        iou.update(predicted, torch.from_numpy(sample.part_map)[None])
    expected = iou.compute()
    assert found["rows"][0]["distinct"]["miou_by_seed"][0] == pytest.approx(expected.distinct.mean)
    with (folder / "usefulness.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 12
    assert float(lines[0]["miou_merged"]) == pytest.approx(expected.merged.mean)
    assert float(lines[0]["merged_hood"]) == pytest.approx(expected.merged.iou["hood"])
    assert Image.open(folder / "usefulness.png").width > 1000
    # Photo, truth and three predictions of each of six test pictures, magnified to 144 pixels.
    assert Image.open(folder / "examples.png").width == 5 * (144 + 4) - 4


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    trained = list[Watched]()
    small = {"synthetic": {8: made()}, "seeds": (0,)}
    first = study(plan(tmp_path / "out", trained, **small))
    assert len(trained) == 1 + 3
    again = study(plan(tmp_path / "out", trained, **small))
    assert len(trained) == 1 + 3 + 1  # one to be checked, none to be trained
    assert [row.miou(merged=False) for row in again.rows] == [
        row.miou(merged=False) for row in first.rows
    ]
    # One more seed, and a training whose record was never written.
    (sorted((tmp_path / "out" / "trainings").glob("*.json"))[0]).unlink()
    study(plan(tmp_path / "out", trained, **small | {"seeds": (0, 1)}))
    assert len(trained) == 5 + 1 + 1 + 3
    # Other synthetic pictures under the same name: the real-only trainings stay.
    study(plan(tmp_path / "out", trained, synthetic={8: made(length=18)}, seeds=(0,)))
    assert len(trained) == 10 + 1 + 2


def test_a_broken_off_training_gives_the_same_figures_when_it_is_done_later(
    finished: tuple[Path, list[Watched]], tmp_path: Path
) -> None:
    folder, _ = finished
    result = study(plan(tmp_path / "out", synthetic={16: made()}, seeds=(1,)))
    rows = json.loads((folder / "usefulness.json").read_text())["rows"]
    for row, before in zip(result.rows, rows[3:], strict=True):
        assert row.miou(merged=True).mean == before["merged"]["miou_by_seed"][1]


def test_a_full_disk_costs_no_finished_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = list[Watched]()
    small = {"synthetic": {8: made()}, "seeds": (0,)}
    really = training.write_atomically

    def full(path: Path, text: str) -> None:
        if len(list(path.parent.glob("*.json"))) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        really(path, text)

    with monkeypatch.context() as patch:
        patch.setattr(training, "write_atomically", full)
        with pytest.raises(UserError, match=r"cannot be written to: .*No space.*same command"):
            study(plan(tmp_path / "out", trained, **small))
    assert not (tmp_path / "out" / "usefulness.json").exists()
    assert len(trained) == 1 + 3
    study(plan(tmp_path / "out", trained, **small))
    assert len(trained) == 1 + 3 + 1 + 1
    assert (tmp_path / "out" / "usefulness.json").is_file()


def test_another_study_in_the_folder_is_refused(
    finished: tuple[Path, list[Watched]], tmp_path: Path
) -> None:
    folder, _ = finished
    with pytest.raises(UserError, match="study with another steps"):
        study(plan(folder, steps=6))
    with pytest.raises(UserError, match="another size and recipe"):
        study(plan(folder, size=(16, 32), recipe={"segmenter": "other"}))
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="holds no study"):
        study(plan(tmp_path))


def test_what_would_not_be_honest_or_possible_is_refused(tmp_path: Path) -> None:
    saw = names(REAL - 2, REAL + 2)
    with pytest.raises(UserError, match=r"saw 2 of the 6 test pictures, such as car-030"):
        study(plan(tmp_path, synthetic={8: made(saw)}))
    splits = {"train": names(0, 30), "validation": (), "test": ()}
    with pytest.raises(UserError, match="test split is empty"):
        study(plan(tmp_path, splits=splits))
    with pytest.raises(UserError, match="car-020 is both"):
        study(plan(tmp_path, synthetic={30: made()}, splits=splits | {"test": names(20, 34)}))
    with pytest.raises(UserError, match="3 pictures are fewer than one batch of 4"):
        study(plan(tmp_path, synthetic={3: made()}))
    with pytest.raises(UserError, match="fakes has 2 pictures"):
        study(plan(tmp_path, synthetic={8: made(length=2)}))
    with pytest.raises(UserError, match="multiples of 8"):
        study(plan(tmp_path, size=(20, 24)))
    with pytest.raises(UserError, match="seeds"):
        study(plan(tmp_path, seeds=(1, 1)))
    assert not list(tmp_path.iterdir())


def test_rows_say_what_the_generator_saw(tmp_path: Path) -> None:
    told = plan(tmp_path)
    sets = {
        8: made(told.labelled(8), pretraining="2000 toycars"),
        16: made(told.labelled(8)),
        20: made(told.labelled(30)),
    }
    result = study(plan(tmp_path / "out", synthetic=sets, seeds=(0,), steps=1))
    saw = [result.row(count, "synthetic").generator_saw for count in (8, 16, 20)]
    assert saw[0] == "exactly the row's labelled real pictures"
    assert saw[1] == "8 of the row's 16 labelled real pictures"
    assert saw[2] is not None
    assert "30 labelled pictures, 10 of which" in saw[2]
    assert result.row(8, "real+synthetic").pretraining == "2000 toycars"
    assert any("more labels with fewer" in line for line in result.protocol)
