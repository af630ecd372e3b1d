"""What was trained, how it went, and which epoch was chosen."""

from functools import partial
from pathlib import Path
from typing import Any

from carsynth.report.markup import Html, element, joined, paragraph
from carsynth.report.pictures import Pictures
from carsynth.report.reading import (
    Lacking,
    all_shown,
    is_pretrained,
    mapping_in,
    read_config,
    read_json,
    shown,
    trained_stages,
)
from carsynth.report.tables import Figures, table, two_lines
from carsynth.report.wording import NONE, Trained, duration, number, ratio, spread, trained_stage
from carsynth.reporting.runs import Run, find_runs

_COLUMNS = (
    "Run",
    "Experiment",
    "Architecture",
    "Loss",
    Figures("Epochs"),
    Figures("Photos seen"),
    Figures("Chosen epoch"),
    Figures("Best score"),
    Figures("Floor"),
    Figures("Score / floor"),
    Figures("Time"),
)


def trainings(root: Path, pictures: Pictures) -> Html:
    """A table of all runs, then each run's curves and samples."""
    names = trained_stages(root)
    if not names:
        raise Lacking("no stage that trains a generator is there.")
    rows = [row for name in names if (row := _row(root, name))]
    kept = mapping_in(read_config(root), "maps").get("checkpoint", "best")
    told = (
        "Scores are of the validation pictures and lower is better; the floor is what real "
        "pictures score against real ones. Epochs count from 0; the chosen epoch has the best "
        "score."
    )
    if kept != "best":
        told += f" Part maps are generated with the {kept} checkpoint, not with the chosen epoch."
    return joined(
        [
            paragraph(told),
            table("Training runs", _COLUMNS, rows),
            *(element("h3", _title(root, n)) + _run(root, n, pictures) for n in names),
        ]
    )


def _row(root: Path, name: str) -> list[str]:
    try:
        run, summary = _read(root, name)
    except Lacking:
        return [_title(root, name), *[NONE] * (len(_COLUMNS) - 1)]
    score = two_lines(number(run.best_score), str(run.monitor or ""))
    floor = summary.get("floor") or {}
    photos = "" if run.floor_photos is None else f"{run.floor_photos} a side"
    experiment = two_lines(run.experiment, "" if run.status == "finished" else run.status)
    return [
        _title(root, name),
        experiment,
        run.arch,
        _loss(run),
        number(summary.get("epochs")),
        number(summary.get("seen")),
        number(run.best_epoch),
        score,
        two_lines(spread(run.floor, floor.get("std")), photos),
        ratio(run.over_floor),
        duration(run.seconds),
    ]


def _run(root: Path, name: str, pictures: Pictures) -> Html:
    title = _title(root, name)
    curves = partial(
        pictures.plot,
        f"{name}/run/curves.png",
        f"{name}_curves",
        f"{title}: loss terms of each epoch, and the validation score with its floor",
        "Loss terms and score of each epoch.",
    )
    return all_shown([curves, partial(_grids, root, name, pictures)])


def _grids(root: Path, name: str, pictures: Pictures) -> Html:
    """First and best epoch side by side; the best alone where few labels were learnt from."""
    paths = sorted((root / name / "run" / "samples").glob("epoch_*.png"))
    if not paths:
        raise Lacking(f"{name}/run/samples holds no picture.")
    try:
        best_epoch = _read(root, name)[0].best_epoch
    except Lacking:
        best_epoch = None
    best = next((path for path in paths if _epoch(path) == best_epoch), None)
    wanted = {"best": best} if best is not None else {"last": paths[-1]}
    if _stage(name).labelled is None and paths[0] not in wanted.values():
        wanted = {"first": paths[0], **wanted}
    figures = []
    for which, path in wanted.items():
        said = f"Epoch {_epoch(path)}, the {which}" + (" with samples." if which != "best" else ".")
        alt = f"{_title(root, name)}: samples of epoch {_epoch(path)}"
        drawn = partial(
            pictures.photo, f"{name}/run/samples/{path.name}", f"{name}_{which}", alt, said
        )
        figures.append(shown(drawn))
    return element("div", *figures, class_="row")


def _read(root: Path, name: str) -> tuple[Run, dict[str, Any]]:
    folder = root / name / "run"
    if not (folder / "config.yaml").is_file():
        raise Lacking(f"{name}/run/config.yaml is not there.")
    runs = [run for run in find_runs(folder) if run.name == "."]
    if not runs:
        raise Lacking(f"{name}/run holds no run.")
    try:
        return runs[0], read_json(root, f"{name}/run/summary.json")
    except Lacking:
        return runs[0], {}


def _loss(run: Run) -> str:
    """Class of the adversarial loss and the weights of the other terms."""
    name = str(run.config.get("loss.adversarial._target_") or "").rpartition(".")[2]
    before, apart = "loss.weights.", "loss.weights.adversarial"
    others = [
        f"{weight:g} {key.removeprefix(before).replace('_', ' ')}"
        for key, weight in run.config.items()
        if key.startswith(before)
        and key != apart
        and isinstance(weight, int | float)
        and weight
        # a perceptual weight counts only where there is a perceptual loss
        and not (key.endswith(".perceptual") and "loss.perceptual._target_" not in run.config)
    ]
    return two_lines(name, ", ".join(others))


def _stage(name: str) -> Trained:
    found = trained_stage(name)
    assert found is not None
    return found


def _title(root: Path, name: str) -> str:
    return _stage(name).title(is_pretrained(root))


def _epoch(path: Path) -> int:
    return int(path.stem.removeprefix("epoch_"))
