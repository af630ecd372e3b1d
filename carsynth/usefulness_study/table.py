"""A study as text for the terminal and as CSV."""

import csv
import io

from carsynth.metrics.segmentation import part_names
from carsynth.reporting.table import aligned
from carsynth.usefulness_study.plan import MIXES, Mix
from carsynth.usefulness_study.result import Row, Spread, StudyResult

_SHORT: dict[Mix, str] = {"real": "R", "synthetic": "S", "real+synthetic": "R+S"}


def to_text(result: StudyResult) -> str:
    """The means with their ratios, the parts, what each row has seen, and the protocol."""
    blocks = [aligned([_HEADER, *(_line(result, row) for row in result.rows)])]
    for merged in (False, True):
        blocks.append(f"IoU of parts, {_way(merged)}, mean over seeds\n{_parts(result, merged)}")
        if absent := result.absent(merged):
            blocks.append(
                f"left out, in no test map and never predicted ({_way(merged)}): "
                + ", ".join(absent)
            )
        if unasked := result.unasked(merged):
            blocks.append(
                f"in no test map but predicted by some, where it counts as 0 ({_way(merged)}): "
                + ", ".join(unasked)
            )
    blocks.append("\n".join(_seen(result)))
    blocks.append("\n".join(result.protocol))
    return "\n\n".join(blocks)


def to_csv(result: StudyResult) -> str:
    """One line a training; a part's cell is empty where it has no figure."""
    names = [(way, name) for way in (False, True) for name in part_names(way)]
    header = ["real_count", "mix", "seed", "steps", "miou_distinct", "miou_merged", "loss"]
    header += ["seconds", "segmenter_saw", "generator_saw", "generator_pretraining"]
    header += [f"{'merged' if merged else 'distinct'}_{name}" for merged, name in names]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for row in result.rows:
        for t in row.trained:
            overlap = {False: t.scores.distinct, True: t.scores.merged}
            cells: list[object] = [row.count, row.mix, t.seed, t.steps]
            cells += [overlap[False].mean, overlap[True].mean, t.loss, t.seconds]
            cells += [row.segmenter_saw, row.generator_saw, row.pretraining]
            writer.writerow([*cells, *(overlap[way].iou.get(name) for way, name in names)])
    return text.getvalue()


_HEADER = (
    "real pictures",
    "trained on",
    "mIoU distinct",
    "over real",
    "mIoU merged",
    "over real",
    "seeds",
)


def _line(result: StudyResult, row: Row) -> list[str]:
    cells = []
    for merged in (False, True):
        ratio = result.ratio(row, merged)
        cells += [_shown(row.miou(merged)), "" if ratio is None else f"{ratio:.3f}"]
    return [str(row.count), row.mix, *cells, str(len(row.trained))]


def _shown(spread: Spread) -> str:
    return f"{spread.mean:.4f}" + ("" if spread.std is None else f" ± {spread.std:.4f}")


def _parts(result: StudyResult, merged: bool) -> str:
    columns = [result.row(count, mix) for count in result.counts for mix in MIXES]
    parts = [row.parts(merged) for row in columns]
    rows = [["", *(f"{row.count} {_SHORT[row.mix]}" for row in columns)]]
    for name in part_names(merged):
        if any(name in one for one in parts):
            rows.append([name, *(f"{one[name].mean:.2f}" if name in one else "-" for one in parts)])
    return aligned(rows)


def _way(merged: bool) -> str:
    return "left and right merged" if merged else "left and right distinct"


def _seen(result: StudyResult) -> list[str]:
    """The synthetic set of each count, in one line for counts of which the same is to be said."""
    lines: dict[str, list[str]] = {}
    for count in result.counts:
        row = result.row(count, "synthetic")
        line = f"{row.segmenter_saw}; their generator saw {row.generator_saw}, pre-training: "
        lines.setdefault(line + str(row.pretraining), []).append(str(count))
    return [f"{', '.join(counts)} real: {line}" for line, counts in lines.items()]
