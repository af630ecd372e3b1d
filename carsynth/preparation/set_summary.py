"""What a run of ``task=parts`` says at its end."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from carsynth.labels import VIEWS
from carsynth.preparation.framing import Sizes
from carsynth.preparation.manifest import MANIFEST, LeftOut, Sample
from carsynth.preparation.set_sheets import FOLDER

_MOST = 5  # reasons and notes of a kind that are printed


def summary(
    folder: Path,
    samples: Sequence[Sample],
    left_out: Sequence[LeftOut],
    missing: Sequence[str],
    usual: Sizes | None,
) -> str:
    """A table of views and bodies, what was moved, left out and noted, and where to look."""
    lines = _table(samples)
    if len(missing) == len(VIEWS):
        lines.append("no part tells left from right: no view is known")
    elif missing:
        lines.append(f"no picture of view {', '.join(missing)}")
    heaviest = max(samples, key=lambda sample: sample.weight)
    lines.append(f"weights up to {heaviest.weight:.2f} ({heaviest.name}) balance views and bodies")
    moved = [step["moved"] for s in samples for step in s.steps if step["step"] == "snap"]
    if moved:
        worst = max(samples, key=lambda sample: _moved(sample))
        lines.append(
            f"snapping moved {sum(moved) / len(moved):.2%} of the pixels, at most "
            f"{_moved(worst):.2%} ({worst.name})"
        )
    if usual is not None:
        rescaled = sum(_rescaled(sample) for sample in samples)
        lines.append(
            f"a car's box takes {usual.median:.0%} of the frame in the median; {usual.low:.0%} to "
            f"{usual.high:.0%} is usual" + (f"; {rescaled} rescaled" if rescaled else "")
        )
    if not any(step.get("body", 0) > 0 for s in samples for step in s.steps):
        lines.append("no map has a body: car_mask=detector or a folder of masks gives them one")
    for what, said in (
        ("left out", [(one.name, one.reason) for one in left_out]),
        ("noted", [(sample.name, note) for sample in samples for note in sample.notes]),
    ):
        lines += [f"{what}: {name}: {text}" for name, text in said[:_MOST]]
        if len(said) > _MOST:
            lines.append(f"{what}: {len(said) - _MOST} more, see {folder / MANIFEST}")
    cars = "car" if len(samples) == 1 else "cars"
    lines.append(
        f"{len(samples)} {cars} in {folder}, {len(left_out)} left out; look at {folder / FOLDER}"
    )
    return "\n".join(lines)


def _table(samples: Sequence[Sample]) -> list[str]:
    counts = Counter(sample.group() for sample in samples)
    views = [*VIEWS, *([None] if any(sample.view is None for sample in samples) else [])]
    bodies = sorted({body for _, body in counts}, key=lambda body: (body is None, body))
    names = ["unknown" if body is None else body for body in bodies]
    widths = [max(len(name), 5) + 2 for name in names]
    lines = ["view" + "".join(name.rjust(w) for name, w in zip(names, widths, strict=True))]
    for view in views:
        cells = [str(counts[view, body]).rjust(w) for body, w in zip(bodies, widths, strict=True)]
        lines.append(f"{view or '?':<4}" + "".join(cells))
    return lines


def _moved(sample: Sample) -> float:
    return max((step["moved"] for step in sample.steps if step["step"] == "snap"), default=0.0)


def _rescaled(sample: Sample) -> bool:
    return any(step["step"] == "frame" and step["window"] is not None for step in sample.steps)
