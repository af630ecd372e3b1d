"""Run folders below a folder, each with its config and how it ended."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import OmegaConf
from yaml import YAMLError  # type: ignore[import-untyped]

from carsynth.errors import UserError
from carsynth.reporting.history import Curve, last_per_epoch, read_history

Value = str | int | float | bool | None

_CONFIG = "config.yaml"
_SUMMARY = "summary.json"
_INSIDE_A_RUN = ("checkpoints", "samples", "wandb")


class Run(NamedTuple):
    """One run folder; what it does not tell is None."""

    name: str
    """Path below the folder that was searched, with forward slashes."""
    config: dict[str, Value]
    """The resolved config under dotted keys; a list is its JSON text."""
    status: str
    """``finished``, ``interrupted``, ``failed``; ``unfinished`` without a summary (it still runs,
    or was killed), ``unreadable`` where a file is damaged."""
    monitor: str | None
    best_score: float | None
    """Lower is better."""
    best_epoch: int | None
    """Counted from 0."""
    floor: float | None
    floor_photos: int | None
    """Photos in each half that the floor was measured with."""
    seconds: float | None
    images_per_second: float | None
    curve: Curve
    """The monitored score of each epoch."""

    @property
    def experiment(self) -> str:
        return str(self.config.get("name") or "")

    @property
    def arch(self) -> str:
        return str(self.config.get("arch.name") or "")

    @property
    def over_floor(self) -> float | None:
        """The best score as a multiple of the floor."""
        if self.best_score is None or not self.floor:
            return None
        return self.best_score / self.floor


def find_runs(folder: Path) -> list[Run]:
    """Every run in a folder and below, in the order of their paths with numbers by value.

    Raises:
        UserError: the folder is missing or holds no run.
    """
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise UserError(f"dir={folder} {what}: name a folder above run folders")
    found = []
    for parent, below, files in os.walk(folder):
        below[:] = [name for name in below if name not in _INSIDE_A_RUN and name[0] != "."]
        if _CONFIG in files:
            found.append(Path(parent))
    runs = [run for path in found if (run := _read(path, path.relative_to(folder).as_posix()))]
    if not runs:
        raise UserError(
            f"dir={folder} holds no run: name a folder above one that carsynth.train has left "
            f"({_CONFIG} and {_SUMMARY})"
        )
    return sorted(runs, key=lambda run: _natural(run.name))


def _read(folder: Path, name: str) -> Run | None:
    """None where the config is none of a run's."""
    config = _mapping(folder / _CONFIG, lambda text: OmegaConf.to_container(OmegaConf.create(text)))
    summary = _mapping(folder / _SUMMARY, json.loads)
    if summary == {} and "run_dir" not in (config or {}):
        return None
    said = {"status": "unfinished", **(summary or {})}
    monitor, floor = said.get("monitor"), said.get("floor") or {}
    curve: Curve | None = Curve([], [])
    if monitor is not None:
        try:
            curve = last_per_epoch(read_history(folder / "metrics.csv"), monitor)
        except (OSError, ValueError):
            curve = None
    damaged = config is None or summary is None or curve is None
    return Run(
        name=name,
        config=flatten(config or {}),
        status="unreadable" if damaged else said["status"],
        monitor=monitor,
        best_score=said.get("best_score"),
        best_epoch=said.get("best_epoch"),
        floor=floor.get("mean"),
        floor_photos=floor.get("n_per_half"),
        seconds=said.get("seconds"),
        images_per_second=said.get("images_per_second"),
        curve=curve or Curve([], []),
    )


def _mapping(path: Path, parse: Callable[[str], Any]) -> dict[str, Any] | None:
    """Empty where the file is missing, None where it is damaged."""
    try:
        parsed = parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, YAMLError):
        return None
    return parsed if isinstance(parsed, dict) else None


def flatten(config: dict[str, Any], prefix: str = "") -> dict[str, Value]:
    """Nested mappings under dotted keys; a list becomes its JSON text."""
    flat: dict[str, Value] = {}
    for key, value in config.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = json.dumps(value) if isinstance(value, list) else value
    return flat


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """Sorts ``2`` before ``10``."""
    parts = name.split("/")
    return [(not p.isdigit(), int(p) if p.isdigit() else 0, p) for p in parts]
