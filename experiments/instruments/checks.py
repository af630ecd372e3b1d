"""Do the instruments tell good from bad? One table and one picture of checks on real photos.

python experiments/instruments/checks.py NAME=PHOTOS ... OUTPUT

For each folder of real photos, ``make_folders.py`` makes folders of what can go wrong, and
``python -m carsynth.evaluate`` holds them all against photos that were left alone.
"""

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import make_folders
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

SERIES = {
    "blur": ("blur_0.5", "blur_1", "blur_2", "blur_4"),
    "noise": ("noise_5", "noise_10", "noise_20", "noise_40"),
    "JPEG": ("jpeg_75", "jpeg_30", "jpeg_10", "jpeg_5"),
    "shuffled tiles": ("shuffle_2", "shuffle_4", "shuffle_8", "shuffle_16"),
}
ALONE = ("other", "ten_only", "copies")
SHOWN = ("frechet", "kernel", "precision", "recall", "density", "coverage")


def evaluate(folder: Path, output: Path) -> list[dict[str, Any]]:
    """The figures of every made folder, by the command that anyone would use."""
    names = [*ALONE, *(name for series in SERIES.values() for name in series)]
    fakes = ",".join(str(folder / name) for name in names)
    words = [f"real={folder / 'real'}", f"train={folder / 'train'}", f"fake=[{fakes}]"]
    command = [sys.executable, "-m", "carsynth.evaluate", "metric=random_inception", *words]
    subprocess.run([*command, f"output_dir={output}"], check=True)
    found: list[dict[str, Any]] = json.loads((output / "metrics.json").read_text())["evaluated"]
    return found


def planted(output: Path, number: int) -> tuple[dict[str, tuple[int, int]], tuple[int, int]]:
    """Found and planted copies of each kind, and strangers that were called copies."""
    kinds: dict[str, tuple[int, int]] = {}
    with (output / f"copies_{number}.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            kind = row["generated"].rpartition("_")[0]
            caught = float(row["closeness"]) < 1.0
            before = kinds.get(kind, (0, 0))
            kinds[kind] = (before[0] + caught, before[1] + 1)
    return kinds, kinds.pop("")


def cell(figures: dict[str, Any], key: str) -> str:
    found = next(value for name, value in figures.items() if name.startswith(f"{key}_"))
    ratio = "" if found["ratio"] is None else f" ({found['ratio']:.2f})"
    return f"{found['value']:.3g}{ratio}"


def table(title: str, results: list[dict[str, Any]], output: Path) -> str:
    """The checks of one set of photos in Markdown."""
    first = results[0]
    lines = [
        f"## {title}: {first['num_real']} photos against {first['num_fake']}, "
        f"{first['num_train']} to copy from",
        "",
        f"| generated set | {' | '.join(SHOWN)} | suspicious |",
        "| --- |" + " --- |" * (len(SHOWN) + 1),
    ]
    for one in results:
        cells = [cell(one["figures"], key) for key in SHOWN]
        share = f"{one['memorisation']['suspicious']:.1%}"
        lines.append(f"| {Path(one['name']).name} | {' | '.join(cells)} | {share} |")
    kinds, strangers = planted(output, 1 + ALONE.index("copies"))
    shown = ", ".join(f"{kind} {found}/{total}" for kind, (found, total) in sorted(kinds.items()))
    found = sum(found for found, _ in kinds.values()) / sum(total for _, total in kinds.values())
    held_out = first["memorisation"]["suspicious_of_real"]
    lines += [
        "",
        f"Planted copies found: {found:.1%} ({shown}); of the {strangers[1]} strangers among them "
        f"{strangers[0]} were called copies, of the held-out photos {held_out:.1%}.",
    ]
    return "\n".join(lines)


def draw(sets: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Each figure by severity of each fault; none is photos that were left alone."""
    figure = Figure(figsize=(4.0 * len(SHOWN), 3.4 * len(sets)), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(sets), len(SHOWN), squeeze=False)
    for row, (title, results) in zip(grid, sets.items(), strict=True):
        by_name = {Path(one["name"]).name: one["figures"] for one in results}
        for axes, key in zip(row, SHOWN, strict=True):
            for series, names in SERIES.items():
                values = [_value(by_name[name], key) for name in ("other", *names)]
                axes.plot(range(len(values)), values, marker="o", label=series)
            axes.set_title(f"{title}: {key}", fontsize=10)
            axes.set_xticks(range(5), ["none", "1", "2", "3", "4"])
            axes.set_xlabel("severity of the fault")
            axes.grid(alpha=0.3)
            if key == "frechet":
                axes.set_yscale("log")
            if key == "kernel":
                axes.set_yscale("symlog", linthresh=0.01)
    grid[0][0].legend(fontsize=8)
    figure.savefig(path, dpi=90)


def _value(figures: dict[str, Any], key: str) -> float:
    return float(next(v["value"] for name, v in figures.items() if name.startswith(f"{key}_")))


def main(*words: str) -> None:
    *photos, output = words
    target = Path(output)
    sets, blocks = {}, []
    for word in photos:
        title, _, source = word.partition("=")
        folder, results = target / title / "pictures", target / title / "evaluation"
        make_folders.main(source, str(folder))
        sets[title] = evaluate(folder, results)
        blocks.append(table(title, sets[title], results))
    (target / "table.md").write_text("\n\n".join(blocks) + "\n")
    draw(sets, target / "severity.png")
    print("\n\n".join(blocks), f"\nwritten to {target}/table.md and {target}/severity.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
