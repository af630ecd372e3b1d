"""What a study found: rows of trainings, their means over seeds, and what each row has seen."""

import statistics
from dataclasses import dataclass
from typing import Any, NamedTuple

import carsynth
from carsynth.metrics.segmentation import Overlap, part_names
from carsynth.usefulness_study.plan import Mix
from carsynth.usefulness_study.training import Trained


class Spread(NamedTuple):
    """Over seeds."""

    mean: float
    std: float | None
    """Unbiased; None for one seed."""


@dataclass(frozen=True)
class Row:
    """One mix at one count of real pictures, from all seeds."""

    count: int
    """Of the real pictures that the row stands for; synthetic-only trains on none of them."""
    mix: Mix
    segmenter_saw: str
    generator_saw: str | None
    """None where no generator took part."""
    pretraining: str | None
    """Of the generator; None where no generator took part."""
    trained: tuple[Trained, ...]

    def overlaps(self, merged: bool) -> list[Overlap]:
        """By seed, with left and right merged or distinct."""
        return [t.scores.merged if merged else t.scores.distinct for t in self.trained]

    def miou(self, merged: bool) -> Spread:
        """Mean intersection over union of the parts of the car."""
        return _spread([overlap.mean for overlap in self.overlaps(merged)])

    def parts(self, merged: bool) -> dict[str, Spread]:
        """Of each part over the seeds that have a figure for it, in the order of the taxonomy."""
        found: dict[str, list[float]] = {}
        for overlap in self.overlaps(merged):
            for name, iou in overlap.iou.items():
                found.setdefault(name, []).append(iou)
        return {name: _spread(found[name]) for name in part_names(merged) if name in found}


@dataclass(frozen=True)
class StudyResult:
    """All rows, the fewest real pictures first, and the rules they were made by."""

    rows: tuple[Row, ...]
    protocol: tuple[str, ...]
    """What a reader of the figures has to know, a sentence each."""
    settings: dict[str, Any]
    """Plain values for JSON."""
    seconds: float
    """That the trainings took, those of earlier runs included."""

    @property
    def counts(self) -> list[int]:
        """Of real pictures, the fewest first."""
        return sorted({row.count for row in self.rows})

    def row(self, count: int, mix: Mix) -> Row:
        """The only one of its kind."""
        return next(row for row in self.rows if (row.count, row.mix) == (count, mix))

    def ratio(self, row: Row, merged: bool) -> float | None:
        """Mean mIoU over that of real only at the same count; None where that is 0."""
        real = self.row(row.count, "real").miou(merged).mean
        return row.miou(merged).mean / real if real > 0 else None

    def absent(self, merged: bool) -> list[str]:
        """Parts without a figure in any training: in no test map and never predicted."""
        overlaps = [overlap for row in self.rows for overlap in row.overlaps(merged)]
        return [name for name in part_names(merged) if all(name in o.absent for o in overlaps)]

    def unasked(self, merged: bool) -> list[str]:
        """Parts in no test map that some training predicts, where they count as 0."""
        overlaps = [overlap for row in self.rows for overlap in row.overlaps(merged)]
        return [name for name in part_names(merged) if any(name in o.unasked for o in overlaps)]


def to_data(result: StudyResult) -> dict[str, Any]:
    """The whole result for a JSON file."""
    return {
        "carsynth": carsynth.__version__,
        "settings": result.settings,
        "protocol": list(result.protocol),
        "seconds": round(result.seconds, 1),
        "absent_parts": {way: result.absent(way == "merged") for way in _WAYS},
        "parts_only_predicted": {way: result.unasked(way == "merged") for way in _WAYS},
        "rows": [
            {
                "real_count": row.count,
                "mix": row.mix,
                "segmenter_saw": row.segmenter_saw,
                "generator_saw": row.generator_saw,
                "generator_pretraining": row.pretraining,
                **{way: _figures(result, row, way == "merged") for way in _WAYS},
                "trainings": [
                    {
                        "seed": t.seed,
                        "steps": t.steps,
                        "loss": t.loss,
                        "seconds": t.seconds,
                        "confusion": t.scores.confusion.tolist(),
                    }
                    for t in row.trained
                ],
            }
            for row in result.rows
        ],
    }


_WAYS = ("distinct", "merged")


def _figures(result: StudyResult, row: Row, merged: bool) -> dict[str, Any]:
    return {
        "miou": row.miou(merged)._asdict(),
        "miou_by_seed": [overlap.mean for overlap in row.overlaps(merged)],
        "over_real": result.ratio(row, merged),
        "parts": {name: spread._asdict() for name, spread in row.parts(merged).items()},
    }


def _spread(values: list[float]) -> Spread:
    return Spread(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None)
