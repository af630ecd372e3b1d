"""Run folders as training leaves them, without the training."""

import csv
import json
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

MONITOR = "val/tiny"


def settings(folder: Path, **changes: Any) -> dict[str, Any]:
    """A resolved config; ``changes`` are dotted keys with two underscores for the dots."""
    config = OmegaConf.create(
        {
            "name": "pix",
            "seed": 0,
            "ckpt_path": None,
            "run_dir": str(folder),
            "arch": {"name": "pixarch", "width": 8},
            "optim": {"lr": 0.0002, "betas": [0.5, 0.999]},
            "logger": {"wandb": {"name": "pix", "run_dir": str(folder)}},
        }
    )
    for key, value in changes.items():
        OmegaConf.update(config, key.replace("__", "."), value, force_add=True)
    # As resolved configs do, it says things twice.
    config.datamodule = {"seed": config.seed, "run_dir": str(folder)}
    config.arch.module = {"optimizer_g": {"lr": config.optim.lr}}
    plain: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    return plain


def make_run(
    folder: Path,
    scores: list[float] | None = None,
    *,
    status: str | None = "finished",
    monitor: str = MONITOR,
    floor: float | None = 2.0,
    half: int = 10,
    **changes: Any,
) -> Path:
    """A run folder whose epochs had these scores; without a summary where the status is None."""
    scores = [4.0, 3.0] if scores is None else scores
    folder.mkdir(parents=True)
    OmegaConf.save(OmegaConf.create(settings(folder, **changes)), folder / "config.yaml")
    with (folder / "metrics.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["epoch", "seen", "train/d", "train/g", monitor])
        writer.writeheader()
        for epoch, score in enumerate(scores):
            for half_epoch in (1, 2):
                row = {"epoch": epoch, "seen": 20 * epoch + 10 * half_epoch}
                writer.writerow({**row, "train/d": 1.0, "train/g": epoch + half_epoch})
            writer.writerow({**row, monitor: score})
    best = min(scores, default=None)
    summary = {
        "status": status,
        "monitor": monitor,
        "best_epoch": None if best is None else scores.index(best),
        "best_score": best,
        "floor": None if floor is None else {"mean": floor, "std": 0.1, "n_per_half": half},
        "seconds": 12.5,
        "images_per_second": 100.0,
    }
    if status is not None:
        (folder / "summary.json").write_text(json.dumps(summary))
    return folder
