"""What was asked to be evaluated, told apart and checked before anything is read."""

from pathlib import Path
from typing import NamedTuple

from omegaconf import DictConfig, ListConfig

from carsynth.data.splits import SPLITS
from carsynth.errors import UserError

_BEST = Path("checkpoints", "best.ckpt")


class Checkpoint(NamedTuple):
    """One to be scored on its data."""

    name: str
    """As the user gave it."""
    path: Path
    run: Path | None
    """Its run folder, where it lies in one."""


class Request(NamedTuple):
    """Either checkpoints, or folders of generated pictures beside real ones."""

    checkpoints: list[Checkpoint]
    fakes: list[Path]
    real: Path | None
    """None where the photos of ``data=`` are the real ones."""
    train: Path | None


def read_request(config: DictConfig) -> Request:
    """Tells the ways of asking apart.

    Raises:
        UserError: nothing, or two different things were asked for, or a setting has no use here.
    """
    checkpoints = [_checkpoint(word) for word in _words(config.ckpt_path)]
    fakes = [Path(word) for word in _words(config.fake)]
    real = None if config.real is None else Path(config.real)
    train = None if config.train is None else Path(config.train)
    if bool(checkpoints) == bool(fakes) or (checkpoints and (real or train)):
        raise UserError(
            "say what to evaluate: ckpt_path=FILE (or several: ckpt_path=[A,B]), real=DIR and "
            "fake=DIR, or fake=DIR and data=..."
        )
    if fakes and real is None and config.get("data") is None:
        raise UserError(f"fake={fakes[0]} is compared with nothing: give real=DIR or data=...")
    if fakes and real is not None and config.get("data") is not None:
        raise UserError("real=DIR and data=... both name real photos: give one of them")
    if config.split not in SPLITS:
        raise UserError(f"split={config.split} is unknown: choose one of {', '.join(SPLITS)}")
    if config.paired and (real is None or len(fakes) != 1):
        raise UserError("paired=true compares files of one name in real=DIR and one fake=DIR")
    if config.num_images is not None and config.num_images < 2:
        raise UserError(f"num_images={config.num_images}: give 2 or more")
    return Request(checkpoints, fakes, real, train)


def _words(value: object) -> list[str]:
    if value is None:
        return []
    return [str(word) for word in value] if isinstance(value, list | ListConfig) else [str(value)]


def _checkpoint(word: str) -> Checkpoint:
    path = Path(word)
    if path.is_dir():
        if not (path / _BEST).is_file():
            raise UserError(f"ckpt_path={path} holds no {_BEST}: name a run folder or a checkpoint")
        return Checkpoint(word, path / _BEST, path)
    run = path.absolute().parent.parent
    return Checkpoint(word, path, run if (run / "metrics.csv").is_file() else None)
