"""What a two-stage pipeline leaves, made of small real pieces without any training."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import OmegaConf

from carsynth.data.splits import draw_splits, save_splits
from carsynth.data.toycars import ToyCars
from carsynth.evaluation.assessment import Material, assess
from carsynth.evaluation.copies import save_copies
from carsynth.evaluation.picture_set import Collector, PictureSet
from carsynth.evaluation.plot import evaluation_figure
from carsynth.evaluation.report import to_data
from carsynth.export.index_folders import export_index_folders
from carsynth.export.labelled import LabelledPicture
from carsynth.export.provenance import Checkpoint, Provenance
from carsynth.generation.kinds import KINDS
from carsynth.generation.shards import shard_path, write_shard
from carsynth.labels import NUM_PARTS, PALETTE
from carsynth.metrics.floor import FloorBook
from carsynth.metrics.frechet import Frechet
from carsynth.metrics.manifold import Manifold
from carsynth.metrics.segmentation import scores_of
from carsynth.reporting.history import read_history
from carsynth.reporting.plots import save, training_figure
from carsynth.reporting.sheets import sheet
from carsynth.stages.stage import Stage, carry_out
from carsynth.usefulness_study.examples import Example, example_sheet
from carsynth.usefulness_study.plan import MIXES
from carsynth.usefulness_study.plot import study_figure
from carsynth.usefulness_study.result import Row, StudyResult
from carsynth.usefulness_study.result import to_data as study_data
from carsynth.usefulness_study.training import Trained
from tests.metrics.tiny_extractor import TinyExtractor
from tests.reporting.run_folders import MONITOR, make_run

SIZE = (32, 48)
HOSTILE = '<b>two & "three"</b>'
DIGEST = "ab" * 32
GENERATED = 30
REJECTED = {"specks": 40, "view A in place of B": 12}
IOU = {"real": 0.5, "synthetic": 0.45, "real+synthetic": 0.6}


def make_result(root: Path, name: str = "two_stage") -> Path:
    """Everything that a pipeline with pre-training and one smaller choice of labels leaves."""
    root.mkdir(parents=True)
    config = {
        "name": name,
        "seed": 7,
        "run_dir": str(root),
        "data": {"size": list(SIZE), "source": {"_target_": "carsynth.data.toycars.ToyCars"}},
        "maps": {"experiment": "fewshot", "checkpoint": "best"},
    }
    OmegaConf.save(OmegaConf.create(config), root / "config.yaml")
    done = _doer(root)
    done("data", _data)
    done("pretrain", lambda folder: _run(folder, name, [5.0, 4.5]))
    for end in ("", "_25"):
        done(f"maps{end}", lambda folder: _run(folder, name, [9.0, 6.0, 6.5]))
        if not end:
            done("photos_scratch", lambda folder: _run(folder, name, [8.0, 7.0]))
        done(f"photos{end}", lambda folder: _run(folder, name, [5.0, 4.0]))
    done("scores/maps", lambda folder: _scores(folder, [root / "maps" / "run"]))
    photos = [root / kind / "run" for kind in ("photos", "photos_scratch")]
    done("scores/photos", lambda folder: _scores(folder, photos))
    for end in ("", "_25"):
        done(f"generated{end}", lambda folder: _generated(root, folder))
        done(f"export{end}", _export)
    done("usefulness", lambda folder: _usefulness(folder / "study", name))
    return root


def _doer(root: Path) -> Callable[[str, Callable[[Path], None]], None]:
    def do(name: str, work: Callable[[Path], None]) -> None:
        def run(folder: Path) -> None:
            work(folder)
            (folder / "commands.sh").write_text(f"python -m carsynth.{name} 'a<b' --and=more\n")

        carry_out(Stage(name, {}, run), root)

    return do


def toy(count: int, seed: int = 0) -> list[LabelledPicture]:
    """Drawn cars with what a generated picture's ``info`` says."""
    cars = ToyCars(count, seed)
    found = []
    for number in range(count):
        car = cars.draw(number, SIZE)
        info = {"map": number, "class": car.make}
        info |= {kind: one.read(car.part_map) for kind, one in KINDS.items()}
        found.append(LabelledPicture(f"{number:08d}", car.photo, car.part_map, info))
    return found


def _data(folder: Path) -> None:
    cars = toy(20)
    splits = draw_splits([car.name for car in cars], (0.6, 0.2, 0.2), 0)
    for end in ("", "_25"):
        save_splits(splits, folder / f"splits{end}.json")
    counts: dict[str, Any] = {"train": len(cars)}
    for kind, one in KINDS.items():
        shown = Counter(car.info[kind] or "unknown" for car in cars)
        counts[kind] = {value: shown[value] for value in (*one.values, "unknown")}
    (folder / "counts.json").write_text(json.dumps({"all": counts, "25": counts}))
    tiles = [*(PALETTE[car.part_map] for car in cars[:4]), *(car.photo for car in cars[:4])]
    sheet(tiles, 4).save(folder / "examples.png")


def _run(folder: Path, name: str, scores: list[float]) -> None:
    run = make_run(
        folder / "run", scores, name=name, loss__weights__feature_matching=10.0,
        loss__adversarial___target_="carsynth.losses.adversarial.Hinge",
    )  # fmt: skip
    save(training_figure(read_history(run / "metrics.csv"), MONITOR, 2.0), run / "curves.png")
    (run / "samples").mkdir()
    for epoch in range(len(scores)):
        tiles = [car.photo for car in toy(4, epoch)]
        sheet(tiles, 2).save(run / "samples" / f"epoch_{epoch:04d}.png")


def _pictures(count: int, seed: int, mirrored: bool = False) -> PictureSet:
    collector = Collector(
        TinyExtractor(), torch.device("cpu"), None, with_looks=True, mirrored=mirrored
    )
    cars = toy(count, seed)
    photos = torch.from_numpy(np.stack([car.photo for car in cars])).permute(0, 3, 1, 2)
    collector.add(photos, [HOSTILE, *(c.name for c in cars[1:])], [[f"view {c.info['view']}"]
                  for c in cars])  # fmt: skip
    return collector.finish()


def _scores(folder: Path, runs: list[Path]) -> None:
    real, train = _pictures(16, 1), _pictures(20, 2, mirrored=True)
    extractor = TinyExtractor()
    figures = [Frechet(), Manifold()]
    found = []
    for place, run in enumerate(runs):
        material = Material(
            str(run), real, _pictures(16, 3 + place), train, [], {"fake/x<y.png": "torn"}, run
        )
        found.append(assess(material, figures, extractor, FloorBook(figures, extractor, 0)))
    told: dict[str, Any] = dict.fromkeys(("carsynth", "torch", "torchvision", "python"), "1.0")
    told |= {"seed": 0, "real": "test split", "train": None}
    told["extractor"] = {"name": "tiny", "resize": "none", "num_features": 12,
                         "fingerprint": extractor.fingerprint}  # fmt: skip
    told["evaluated"] = [to_data(one) for one in found]
    (folder / "metrics.json").write_text(json.dumps(told, allow_nan=False))
    save(evaluation_figure(found), folder / "metrics.png")
    save_copies(found, folder)


def _generated(root: Path, folder: Path) -> None:
    cars = toy(GENERATED, 5)
    for number in range(3):
        part = cars[10 * number : 10 * number + 10]
        write_shard(shard_path(folder, number), part, {"pictures": 10, "rejected": {}})
    models = {
        kind: {"path": str((root / kind / "run" / "checkpoints" / "best.ckpt").absolute()),
               "sha256": DIGEST}
        for kind in ("maps", "photos")
    }  # fmt: skip
    told = {
        "synthetic": True, "carsynth": "0.1.0", "seed": 7, "num_images": GENERATED,
        "balance": {"view": "uniform", "doors": {"3": 0.5, "5": 0.5}}, "photos_per_map": 1,
        "size": list(SIZE), "models": {**models, "reference": {"sha256": DIGEST}},
        "pictures": GENERATED, "rejected": REJECTED,
    }  # fmt: skip
    (folder / "generated.json").write_text(json.dumps(told))


def _export(folder: Path) -> None:
    models = {"maps": Checkpoint("maps/best.ckpt", DIGEST)}
    provenance = Provenance(models, {}, 7, "0.1.0", "2025-03-01")
    export_index_folders(toy(2), folder / "folders", provenance)


def _usefulness(folder: Path, name: str) -> None:
    folder.mkdir()
    rows = []
    for count in (25, 320):
        for mix in MIXES:
            trained = tuple(
                Trained(seed, 30, 1.0, 2.0, scores_of(_confusion(IOU[mix] + 0.01 * seed)))
                for seed in range(2)
            )
            made = None if mix == "real" else "exactly the row's labelled real pictures"
            rows.append(Row(count, mix, f"{count} pictures of {name}", made, None, trained))
    settings = {"steps": 30, "seeds": [0, 1], "test_pictures": 4}
    result = StudyResult(tuple(rows), ("every training makes 30 steps",), settings, 12.0)
    (folder / "usefulness.json").write_text(json.dumps(study_data(result), allow_nan=False))
    save(study_figure(result), folder / "usefulness.png")
    cars = toy(3, 9)
    shown = [Example(c.photo, c.part_map, dict.fromkeys(MIXES, c.part_map)) for c in cars]
    example_sheet(shown, folder / "examples.png")


def _confusion(iou: float) -> Any:
    """Every part found to this share, and nothing false: the rest is left to the background."""
    found = np.zeros((NUM_PARTS, NUM_PARTS), np.int64)
    np.fill_diagonal(found, round(1000 * iou))
    found[1:, 0] = 1000 - round(1000 * iou)
    return found
