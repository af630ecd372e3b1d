"""What each row has seen and what all have in common, in sentences."""

from carsynth.usefulness_study.plan import Mix, Plan
from carsynth.usefulness_study.synthetic import SyntheticSet


def provenance(
    count: int, mix: Mix, made: SyntheticSet, labelled: frozenset[str]
) -> tuple[str, str | None, str | None]:
    """What the segmenter saw, what the generator saw, and the generator's pre-training."""
    synthetic = f"{len(made.source.names)} synthetic pictures of {made.name}"
    saw = {
        "real": f"{count} labelled real pictures",
        "synthetic": synthetic,
        "real+synthetic": f"{count} labelled real pictures and {synthetic}",
    }[mix]
    if mix == "real":
        return saw, None, None
    return saw, _generator(made, labelled), made.pretraining or "not stated"


def _generator(made: SyntheticSet, labelled: frozenset[str]) -> str:
    if made.saw is None:
        return "not stated which labelled pictures"
    if not made.saw:
        return "no labelled picture"
    if made.saw == labelled:
        return "exactly the row's labelled real pictures"
    beyond = len(made.saw - labelled)
    if not beyond:
        return f"{len(made.saw)} of the row's {len(labelled)} labelled real pictures"
    return (
        f"{len(made.saw)} labelled pictures, {beyond} of which the row's real-only training lacks"
    )


def protocol(plan: Plan, tested: int) -> tuple[str, ...]:
    """Sentences for a reader of the figures."""
    half = plan.batch_size // 2
    lines = [
        f"mIoU is the mean over the parts of the car, without background, on {tested} real test "
        f"pictures at {plan.size[0]}x{plan.size[1]} that no training sees and nothing is chosen by "
        "(the last weights count)",
        f"every training makes {plan.steps} optimiser steps of {plan.batch_size} pictures from "
        f"scratch; real+synthetic takes {plan.batch_size - half} real and {half} synthetic ones in "
        "each batch, and batch norm takes the two apart",
        "subsets of the real pictures are nested and the same for all seeds; seeds change initial "
        "weights, order and augmentation, so that the spread does not tell of the choice of "
        "pictures",
    ]
    sets = list(plan.synthetic.items())
    if len({id(made) for _, made in sets}) == 1 and len(sets) > 1:
        lines.append("one synthetic set serves all rows, whatever their number of real pictures")
    if any(made.saw is None for _, made in sets):
        lines.append(
            "it is not known which labelled pictures the generator saw: if it saw test pictures, "
            "the figures of the synthetic rows mean nothing"
        )
    elif any((made.saw or frozenset()) - frozenset(plan.labelled(count)) for count, made in sets):
        lines.append(
            "where the generator saw labelled pictures that a row's real-only training lacks, the "
            "row compares more labels with fewer"
        )
    return tuple(lines)
