"""An evaluation as a table for the terminal and as plain data for a file."""

from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from carsynth.evaluation.assessment import Assessment
from carsynth.metrics.floor import Floor
from carsynth.metrics.memorisation import Memorisation
from carsynth.metrics.score_card import Score
from carsynth.reporting.table import aligned

_WIDE = 4
"""Materials that fit side by side."""
_LINES = 12
"""Groups that are shown."""
_CHANCE = 0.02
"""Share of suspicious pictures, over twice that of real photos, which is not worth a word."""


def to_data(assessment: Assessment) -> dict[str, Any]:
    """What ``metrics.json`` says of one set of generated pictures."""
    material, found = assessment.material, assessment.memorisation
    return {
        "name": material.name,
        "num_real": len(material.real),
        "num_fake": len(material.fake),
        "num_train": None if material.train is None else len(material.train),
        "sizes": {"real": material.real.sizes, "fake": material.fake.sizes},
        "notes": assessment.notes,
        "skipped": material.skipped,
        "figures": {score.name: _record(score) for score in assessment.scores},
        "groups": {
            name: {
                "num_real": group.num_real,
                "num_fake": group.num_fake,
                "figures": {score.name: _record(score) for score in group.scores},
            }
            for name, group in assessment.groups.items()
        },
        "memorisation": None if found is None else _copies_record(found),
    }


def short_names(assessments: Sequence[Assessment]) -> list[str]:
    """Names without the folders that all have in common, before and after; of one, its end."""
    paths = [Path(assessment.material.name).parts for assessment in assessments]
    if len(paths) < 2:
        return ["/".join(path[-2:]) for path in paths]
    before = _shared(paths)
    after = _shared([path[before:][::-1] for path in paths])
    return [
        "/".join(path[before : len(path) - after]) or "/".join(path[before:]) or path[-1]
        for path in paths
    ]


def to_text(assessments: Sequence[Assessment]) -> str:
    """Figures down, sets of generated pictures across; then groups, copies and warnings."""
    blocks = []
    names = short_names(assessments)
    for start in range(0, len(assessments), _WIDE):
        part = slice(start, start + _WIDE)
        blocks.append(_figures(assessments[part], names[part]))
    blocks.append("each figure: value ± spread (floor, value / floor)")
    for assessment, name in zip(assessments, names, strict=True):
        if assessment.groups:
            blocks.append(_groups(assessment, name))
    said: dict[str, None] = {}
    for assessment, name in zip(assessments, names, strict=True):
        before = f"{name}: " if len(assessments) > 1 else ""
        said |= dict.fromkeys(before + line for line in _warnings(assessment))
    if said:
        blocks.append("\n".join(said))
    return "\n\n".join(blocks)


def _shared(paths: Sequence[Sequence[str]]) -> int:
    """Parts in front that are the same in all."""
    columns = zip(*paths, strict=False)
    return sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, columns))


def _figures(assessments: Sequence[Assessment], titles: Sequence[str]) -> str:
    rows = [["", "", *titles]]
    names = dict.fromkeys((s.name, s.better) for a in assessments for s in a.scores)
    for name, better in names:
        found = [next((s for s in a.scores if s.name == name), None) for a in assessments]
        cells = ["" if score is None else _cell(score) for score in found]
        rows.append([name, f"{better} is better", *cells])
    if any(a.memorisation is not None for a in assessments):
        for name, better in (("authenticity", "higher"), ("suspicious copies", "lower")):
            cells = [_copies(a, name) for a in assessments]
            rows.append([name, f"{better} is better", *cells])
    counts = [f"{len(a.material.fake)} / {len(a.material.real)}" for a in assessments]
    rows.append(["generated / real", "", *counts])
    return aligned(rows)


def _copies(assessment: Assessment, name: str) -> str:
    found = assessment.memorisation
    if found is None:
        return ""
    if name == "authenticity":
        return f"{found.authenticity:.3f} (real {found.real_authenticity:.3f})"
    return f"{found.suspicious:.1%} (real {found.real_suspicious:.1%})"


def _copies_record(found: Memorisation) -> dict[str, Any]:
    return {
        "suspicious": found.suspicious,
        "suspicious_of_real": found.real_suspicious,
        "authenticity": found.authenticity,
        "authenticity_of_real": found.real_authenticity,
        "real_are": "held out" if found.held_out else "training photos, each left out in turn",
        "feature_threshold": found.feature_threshold,
        "look_threshold": found.look_threshold,
    }


def _groups(assessment: Assessment, title: str) -> str:
    """One line a class or view, with the first figure alone."""
    first = assessment.scores[0].name
    rows = [[f"{title}, by group", "real", "generated", first]]
    largest = sorted(assessment.groups.items(), key=lambda item: -item[1].num_real)[:_LINES]
    for name, group in sorted(largest):
        cells = [str(group.num_real), str(group.num_fake), _cell(group.scores[0])]
        rows.append([name, *cells])
    if more := len(assessment.groups) - len(largest):
        rows.append([f"and {more} smaller ones in metrics.json", "", "", ""])
    return aligned(rows)


def _warnings(assessment: Assessment) -> list[str]:
    lines = list(assessment.notes)
    for score in assessment.scores:
        if score.why is not None:
            lines.append(f"{score.name} is not measured: {score.why}")
        elif score.enough is not None:
            count = min(len(assessment.material.real), len(assessment.material.fake))
            lines.append(
                f"{score.name} says little with {count} pictures a side: about {score.enough:,} "
                "would do"
            )
    found = assessment.memorisation
    if found is not None and found.suspicious > 2 * found.real_suspicious + _CHANCE:
        count = round(found.suspicious * len(assessment.material.fake))
        lines.append(
            f"{count} generated pictures look like copies of training photos: see copies.png"
        )
    return lines


def _cell(score: Score) -> str:
    if score.value is None:
        return "-"
    text = f"{score.value:.4g}"
    if score.spread is not None:
        text += f" ± {score.spread:.2g}"
    if (floor := score.nearest_floor) is not None:
        ratio = "" if score.ratio is None else f", {score.ratio:.2f}"
        text += f" ({floor.mean:.4g}{ratio})"
    return text


def _record(score: Score) -> dict[str, Any]:
    return {
        "value": score.value,
        "spread": score.spread,
        "better": score.better,
        "floor": _floor(score.floor),
        "floor_at_size": _floor(score.floor_at_size),
        "ratio": score.ratio,
        "enough": score.enough,
        "why": score.why,
    }


def _floor(floor: Floor | None) -> dict[str, float | int] | None:
    if floor is None:
        return None
    return {"mean": floor.mean, "std": floor.std, "n_per_half": floor.half}
