"""The study: every mix at every count from every seed, and what came of it."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from carsynth.data.batch import CarSource
from carsynth.data.files import write_atomically
from carsynth.errors import UserError
from carsynth.reporting.plots import save
from carsynth.usefulness_study.examples import Example, example_sheet
from carsynth.usefulness_study.pictures import Pictures
from carsynth.usefulness_study.plan import MIXES, Mix, Plan, check
from carsynth.usefulness_study.plot import study_figure
from carsynth.usefulness_study.protocol import protocol, provenance
from carsynth.usefulness_study.result import Row, StudyResult, to_data
from carsynth.usefulness_study.synthetic import SyntheticSet
from carsynth.usefulness_study.table import to_csv
from carsynth.usefulness_study.training import Share, Training

_STUDY = "study.json"
_TRAININGS = "trainings"
_SHOWN = 6
"""Test pictures in ``examples.png``."""


class _Cell(NamedTuple):
    real_count: int
    mix: Mix
    trainings: list[Training]


def study(plan: Plan) -> StudyResult:
    """Does what of the plan is not done yet, and writes the report into ``plan.output_dir``.

    Left there are ``usefulness.json``, ``usefulness.csv``, ``usefulness.png``, ``examples.png``,
    and each training's result under ``trainings/``, written as soon as it is there, so that a
    study that was stopped goes on where it stood. The test pictures are looked at once a training,
    after its last step; nothing is chosen by them.

    Raises:
        UserError: the plan cannot be carried out, or the folder holds another study.
    """
    check(plan)
    with _writing(plan.output_dir):
        _claim(plan)
    test = _pictures(plan, plan.real, plan.splits["test"], "real test")
    shown = test.names[:: max(1, len(test.names) // _SHOWN)][:_SHOWN]
    cells = _cells(plan, test, shown)
    with _writing(plan.output_dir):
        _train([training for cell in cells for training in cell.trainings], plan.steps)
    result = _result(plan, cells, test)
    data = json.dumps(to_data(result), indent=1, allow_nan=False) + "\n"
    with _writing(plan.output_dir) as folder:
        write_atomically(folder / "usefulness.json", data)
        write_atomically(folder / "usefulness.csv", to_csv(result))
        save(study_figure(result), folder / "usefulness.png")
        example_sheet(_examples(cells, test, shown), folder / "examples.png")
    return result


@contextmanager
def _writing(folder: Path) -> Iterator[Path]:
    """Says in one line that the folder cannot be written to, and how to go on."""
    try:
        yield folder
    except OSError as error:
        raise UserError(
            f"output_dir={folder} cannot be written to: {error}; finished trainings stay there, "
            "and the same command goes on from them"
        ) from error


def _claim(plan: Plan) -> None:
    """Makes the folder this study's own; more seeds, counts and synthetic sets may join it."""
    told = {
        "size": list(plan.size),
        "steps": plan.steps,
        "batch_size": plan.batch_size,
        "subset_seed": plan.subset_seed,
        "test": sorted(plan.splits["test"]),
        "recipe": plan.recipe,
    }
    folder, file = plan.output_dir, plan.output_dir / _STUDY
    asked = json.loads(json.dumps(told))
    if file.is_file():
        held: Mapping[str, Any] = json.loads(file.read_text())
        if other := [key for key in asked if held.get(key) != asked[key]]:
            raise UserError(
                f"output_dir={folder} holds a study with another {' and '.join(other)}: name a new "
                "folder"
            )
        return
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"output_dir={folder} is in use and holds no study: name a new folder")
    write_atomically(file, json.dumps(asked, indent=1) + "\n")


def _cells(plan: Plan, test: Pictures, shown: tuple[str, ...]) -> list[_Cell]:
    """All trainings in the order of the report; the same training may stand in several cells."""
    wanted = sorted({name for count in plan.counts for name in plan.labelled(count)})
    real = _pictures(plan, plan.real, wanted, "real training")
    read: dict[int, Pictures] = {}
    cells = []
    for count in plan.counts:
        made = plan.synthetic[count]
        if id(made) not in read:
            read[id(made)] = _pictures(plan, made.source, made.source.names, "synthetic")
        sets = {"real": (real, plan.labelled(count))}
        sets["synthetic"] = (read[id(made)], read[id(made)].names)
        for mix in MIXES:
            taken = mix.split("+")
            # of an odd batch the first, which is real, gets one more
            sizes = [-(-plan.batch_size // len(taken)), plan.batch_size // len(taken)]
            shares = [Share(*sets[name], size) for name, size in zip(taken, sizes, strict=False)]
            folder = plan.output_dir / _TRAININGS
            trainings = [Training(plan, shares, test, shown, s, folder) for s in plan.seeds]
            cells.append(_Cell(count, mix, trainings))
    return cells


def _pictures(plan: Plan, source: CarSource, names: Sequence[str], title: str) -> Pictures:
    return Pictures(source, names, plan.size, title, plan.cache_limit_gib)


def _train(trainings: list[Training], steps: int) -> None:
    """Runs those that are not done, each once."""
    missing = {training.record: training for training in trainings if not training.done}
    every = len({training.record for training in trainings})
    with tqdm(
        total=every * steps,
        initial=(every - len(missing)) * steps,
        unit="step",
        mininterval=0.1 if sys.stderr.isatty() else 10.0,
        disable=not missing,
    ) as bar:
        for number, training in enumerate(missing.values(), every - len(missing) + 1):
            bar.set_description(f"training {number} of {every}")
            training.run(bar)


def _result(plan: Plan, cells: list[_Cell], test: Pictures) -> StudyResult:
    rows: list[Row] = []
    seconds: dict[Path, float] = {}
    for cell in cells:
        trained = tuple(training.result() for training in cell.trainings)
        seconds |= {t.record: one.seconds for t, one in zip(cell.trainings, trained, strict=True)}
        labelled = plan.labelled(cell.real_count)
        made: SyntheticSet = plan.synthetic[cell.real_count]
        saw = provenance(cell.real_count, cell.mix, made, frozenset(labelled))
        rows.append(Row(cell.real_count, cell.mix, *saw, trained))
    settings = {
        "real_counts": plan.counts,
        "seeds": list(plan.seeds),
        "subset_seed": plan.subset_seed,
        "steps": plan.steps,
        "batch_size": plan.batch_size,
        "size": list(plan.size),
        "test_pictures": len(test.names),
        "synthetic": {str(count): made.name for count, made in plan.synthetic.items()},
        "recipe": dict(plan.recipe),
    }
    lines = protocol(plan, len(test.names))
    return StudyResult(tuple(rows), lines, settings, sum(seconds.values()))


def _examples(cells: list[_Cell], test: Pictures, shown: tuple[str, ...]) -> list[Example]:
    """Of the fewest real pictures, where mixes differ most, and of the first seed."""
    fewest = cells[: len(MIXES)]
    maps = {f"{cell.mix} ({cell.real_count})": cell.trainings[0].shown() for cell in fewest}
    return [
        Example(*test.sample(name)[:2], {title: one[place] for title, one in maps.items()})
        for place, name in enumerate(shown)
    ]
