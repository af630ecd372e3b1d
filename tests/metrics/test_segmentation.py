from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor

from carsynth.errors import UserError
from carsynth.labels import NUM_PARTS, PART_ID, PART_TWINS
from carsynth.metrics.segmentation import PartIoU, PartScores, part_names, scores_of

LEFT, RIGHT = PART_ID["front_left_door"], PART_ID["front_right_door"]
HOOD, WHEEL = PART_ID["hood"], PART_ID["wheel"]


def scores(predicted: list[list[int]], true: list[list[int]]) -> PartScores:
    metric = PartIoU()
    metric.update(torch.tensor([predicted]), torch.tensor([true]))
    result: PartScores = metric.compute()
    return result


def test_a_small_map_worked_out_by_hand() -> None:
    true = [[LEFT, LEFT, LEFT, HOOD], [RIGHT, HOOD, 0, 0]]
    predicted = [[LEFT, RIGHT, LEFT, HOOD], [LEFT, 0, 0, WHEEL]]
    found = scores(predicted, true)
    # Left door: 2 pixels shared, 3 true and 3 predicted. Right door: 1 true and 1 predicted,
    # elsewhere. Hood: 1 of 2. The wheel is in no true map. Background: 1 shared of 3.
    assert found.distinct.iou == pytest.approx(
        {
            "background": 1 / 3,
            "front_left_door": 0.5,
            "front_right_door": 0,
            "hood": 0.5,
            "wheel": 0,
        }
    )
    assert found.distinct.mean == pytest.approx((0.5 + 0 + 0.5 + 0) / 4)
    # Merged, all four door pixels are found as doors.
    assert found.merged.iou == pytest.approx(
        {"background": 1 / 3, "front_door": 1.0, "hood": 0.5, "wheel": 0}
    )
    assert found.merged.mean == pytest.approx(0.5)
    assert found.distinct.unasked == ("wheel",)
    assert "trunk" in found.distinct.absent
    assert len(found.distinct.absent) == NUM_PARTS - 5
    assert found.confusion.sum() == 8
    assert found.confusion[LEFT, RIGHT] == 1


def test_merging_is_relabelling_both_maps() -> None:
    rng = np.random.default_rng(0)
    true, predicted = rng.integers(0, NUM_PARTS, (2, 3, 16, 16))
    one_of_twins = np.minimum(np.arange(NUM_PARTS), PART_TWINS)
    plain, relabelled = PartIoU(), PartIoU()
    plain.update(torch.from_numpy(predicted), torch.from_numpy(true))
    relabelled.update(
        torch.from_numpy(one_of_twins[predicted]), torch.from_numpy(one_of_twins[true])
    )
    merged, reference = plain.compute().merged, relabelled.compute().distinct
    assert list(merged.iou.values()) == pytest.approx(list(reference.iou.values()))
    assert merged.absent == ()
    assert len(merged.iou) == len(part_names(merged=True)) == 15


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(UserError, match="no part of a car"):
        scores([[HOOD]], [[0]])
    metric = PartIoU()
    with pytest.raises(ValueError, match="beside"):
        metric.update(torch.zeros(1, 2, 2, dtype=torch.uint8), torch.zeros(1, 2, 3).long())
    with pytest.raises(ValueError, match="parts end at 19"):
        metric.update(torch.full((1, 2, 2), 20), torch.zeros(1, 2, 2).long())
    with pytest.raises(ValueError, match="20x20"):
        scores_of(np.zeros((3, 3), np.int64))


def maps(seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    true = torch.randint(0, NUM_PARTS, (5, 12, 12), generator=generator)
    noise = torch.randint(0, NUM_PARTS, (5, 12, 12), generator=generator)
    kept = torch.rand(5, 12, 12, generator=generator) < 0.7
    return torch.where(kept, true, noise).to(torch.uint8), true


def _process(rank: int, folder: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    metric = PartIoU()
    predicted, true = maps(0)
    own = slice(0, 4) if rank == 0 else slice(4, 5)
    metric.update(predicted[own], true[own])
    torch.save(torch.from_numpy(metric.compute().confusion), f"{folder}/{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_processes_with_unequal_shares_equal_one(tmp_path: Path) -> None:
    mp.spawn(_process, (str(tmp_path),), nprocs=2)
    metric = PartIoU()
    metric.update(*maps(0))
    expected = metric.compute()
    for rank in range(2):
        found = scores_of(torch.load(tmp_path / f"{rank}.pt").numpy())
        assert (found.confusion == expected.confusion).all()
        assert found.distinct == expected.distinct
