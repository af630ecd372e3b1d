"""The comparison of runs in words: what differs, how they scored, and how much seeds matter."""

import csv
import io
import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from carsynth.reporting.runs import Run, Value

_ELSEWHERE = ("name", "arch.name", "run_dir", "ckpt_path", "debug")
_ECHOES = ("logger.",)
_FEW = 4  # columns


class Group(NamedTuple):
    """Runs whose configs are equal but for the seed."""

    label: str
    """The settings that tell it from the others."""
    runs: list[Run]
    """With a score first, the best of them in front."""

    @property
    def scores(self) -> list[float]:
        """A best score for each seed that has one; of a seed that ran several times, their mean."""
        found: dict[Value, list[float]] = {}
        for run in self.runs:
            if run.best_score is not None:
                found.setdefault(run.config.get("seed"), []).append(run.best_score)
        return [statistics.fmean(scores) for scores in found.values()]

    @property
    def mean(self) -> float | None:
        """Of :attr:`scores`; None without any."""
        return statistics.fmean(self.scores) if self.scores else None

    @property
    def std(self) -> float | None:
        """Unbiased; None for fewer than two seeds."""
        return statistics.stdev(self.scores) if len(self.scores) > 1 else None


class Comparison(NamedTuple):
    """Runs in the order of the report."""

    keys: list[str]
    """Config keys whose values are not equal in all runs."""
    told: list[str]
    """Those of ``keys`` that experiment and arch do not already tell."""
    groups: dict[str | None, list[Group]]
    """By monitor, in the order of their names, None (never scored) last; best mean first."""

    def ranked(self, monitor: str | None) -> list[tuple[Run, Group]]:
        """The runs of one metric with their groups, the lowest score first, without one last."""
        pairs = [(run, group) for group in self.groups[monitor] for run in group.runs]
        return sorted(pairs, key=lambda pair: _rank(pair[0].best_score))


def compare(runs: Sequence[Run]) -> Comparison:
    """Sorts runs by what they were scored with, groups seeds, and finds what differs.

    Scores of different metrics have nothing to do with each other, so that each metric has an
    order of its own.
    """
    read = [run for run in runs if run.config]
    keys = _differing(read)
    told = [key for key in keys if not _follows(read, key)]
    if not told:  # each run may have been given a name of its own
        told = [key for key in keys if not key.endswith("_target_")][:_FEW]
    monitors = sorted({r.monitor for r in runs if r.monitor is not None})
    groups: dict[str | None, list[Group]] = {}
    for monitor in (*monitors, None):
        here = [run for run in runs if run.monitor == monitor]
        if here:
            groups[monitor] = _grouped(here, read, keys, told)
    return Comparison(keys, told, groups)


def to_csv(comparison: Comparison) -> str:
    """One line a run; a cell is empty where the run has no such thing.

    ``seeds_mean``, ``seeds_std`` and ``seeds_n`` belong to the run's group, where it has two seeds
    or more.
    """
    before = ["run", "experiment", "arch"]
    after = ["monitor", "best_score", "floor", "score_over_floor", "best_epoch", "seconds"]
    after += ["images_per_second", "status", "seeds_mean", "seeds_std", "seeds_n"]
    header = [*before, *comparison.keys, *after]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for monitor in comparison.groups:
        for run, group in comparison.ranked(monitor):
            line: list[Value] = [run.name, run.experiment, run.arch]
            line += [run.config.get(key) for key in comparison.keys]
            line += [run.monitor, run.best_score, run.floor, run.over_floor, run.best_epoch]
            line += [run.seconds, run.images_per_second, run.status]
            several = group.std is not None
            line += [group.mean, group.std, len(group.scores)] if several else [None] * 3
            writer.writerow(line)
    return text.getvalue()


def to_text(comparison: Comparison) -> str:
    """The table for a terminal: a block for each monitor, and one for the spread over seeds."""
    blocks = []
    for monitor, groups in comparison.groups.items():
        runs = [run for run, _ in comparison.ranked(monitor)]
        title = "no score" if monitor is None else f"{monitor} (lower is better)"
        blocks.append(f"{title}\n{aligned(_table(runs, comparison.told))}")
        if len({run.floor_photos for run in runs if run.floor_photos}) > 1:
            blocks.append(
                "these runs were scored on different numbers of photos: compare score / floor"
            )
        several = [group for group in groups if group.std is not None]
        if several:
            numbers = [map(_number, (g.mean, g.std, len(g.scores))) for g in several]
            rows = [[g.label, *cells] for g, cells in zip(several, numbers, strict=True)]
            blocks.append(aligned([["over seeds", "mean", "std", "n"], *rows]))
    if len([monitor for monitor in comparison.groups if monitor is not None]) > 1:
        blocks.append("runs scored by different metrics are not ranked against each other")
    if silent := len(comparison.keys) - len(comparison.told):
        blocks.append(f"{silent} more settings differ with the experiment: see the CSV file")
    return "\n\n".join(blocks)


def _table(runs: list[Run], keys: list[str]) -> list[list[str]]:
    scores = ["score", "floor", "score / floor", "best epoch", "seconds", "img/s", "status"]
    rows = [["run", "experiment", "arch", *keys, *scores]]
    for run in runs:
        settings = [show(run.config.get(key)) for key in keys]
        numbers = (run.best_score, run.floor, run.over_floor, run.best_epoch, run.seconds)
        cells = map(_number, (*numbers, run.images_per_second))
        rows.append([run.name, run.experiment, run.arch, *settings, *cells, run.status])
    return rows


def show(value: Value) -> str:
    """A setting as short as it can be read."""
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _differing(runs: Sequence[Run]) -> list[str]:
    """Resolved configs say many settings twice; the highest key of those that agree is kept.

    They agree with equal values under like names: ``optim.lr`` comes back as
    ``arch.module.optimizer_g.lr``, and as ``optim.lr_d`` where no other rate was asked for.
    """
    found: dict[str, tuple[Value, ...]] = {}
    own = [str(run.config.get("run_dir", "")) for run in runs]
    for key in dict.fromkeys(key for run in runs for key in run.config):
        if key in _ELSEWHERE or key.startswith(_ECHOES):
            continue
        values = tuple(run.config.get(key) for run in runs)
        inside = (v is None or v == o for v, o in zip(values, own, strict=True))
        if len({(type(v), v) for v in values}) > 1 and not all(inside):
            found[key] = values
    kept: list[str] = []
    for key in sorted(found, key=lambda key: (key.count("."), len(key))):
        if not any(_alike(key, other) and found[key] == found[other] for other in kept):
            kept.append(key)
    return [key for key in found if key in kept]


def _alike(key: str, other: str) -> bool:
    shorter, longer = sorted((key.rpartition(".")[2], other.rpartition(".")[2]), key=len)
    return longer.startswith(shorter)


def _follows(runs: Sequence[Run], key: str) -> bool:
    """Whether experiment and arch name already tell the setting of every run."""
    told: dict[tuple[str, str], Value] = {}
    for run in runs:
        value = run.config.get(key)
        if told.setdefault((run.experiment, run.arch), value) != value:
            return False
    return True


def _grouped(
    runs: list[Run], beside: Sequence[Run], keys: list[str], told: list[str]
) -> list[Group]:
    gathered: dict[tuple[Value, ...], list[Run]] = {}
    for run in runs:
        settings = [run.config.get(key) for key in keys if key != "seed"]
        gathered.setdefault((*settings, "" if run.config else run.name), []).append(run)
    named = {(run.experiment, run.arch) for run in beside}
    experiments = {experiment for experiment, _ in named}
    names = ["experiment"] * (len(experiments) > 1) + ["arch"] * (len(named) > len(experiments))
    groups = []
    for members in gathered.values():
        members.sort(key=lambda run: _rank(run.best_score))
        first = members[0]
        words = list(dict.fromkeys(getattr(first, name) for name in names))
        own = [key for key in told if key != "seed" and first.config.get(key) is not None]
        words += [f"{_short(key, told)}={show(first.config[key])}" for key in own]
        label = " ".join(filter(None, words)) or first.experiment or first.name
        groups.append(Group(label, members))
    return sorted(groups, key=lambda group: _rank(group.mean))


def _short(key: str, keys: list[str]) -> str:
    """The last part of a key where no other ends so."""
    last = key.rpartition(".")[2]
    return last if [k.rpartition(".")[2] for k in keys].count(last) == 1 else key


def _rank(score: float | None) -> float:
    return math.inf if score is None else score


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.4g}"


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell, for a terminal."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
