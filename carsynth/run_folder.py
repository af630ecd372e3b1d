"""A run folder belongs to one run: nothing in it is written over."""

from pathlib import Path
from typing import Any

from lightning.pytorch.utilities import rank_zero_only
from omegaconf import OmegaConf

from carsynth.errors import UserError

CONFIG = "config.yaml"

# What training leaves; a config alone is of a run that did not get so far.
_MARKS_OF_A_RUN = ("checkpoints", "metrics.csv")


@rank_zero_only
def claim(folder: Path, config: dict[str, Any], ckpt_path: str | None) -> None:
    """Makes the folder this run's own and writes its resolved config there.

    A run that goes on from a checkpoint of the same folder keeps the earlier config beside the new
    one, as ``config_1.yaml`` and so on.

    Raises:
        UserError: the folder holds another run.
    """
    target = folder / CONFIG
    if any((folder / name).exists() for name in _MARKS_OF_A_RUN):
        resumes = ckpt_path is not None and folder.resolve() in Path(ckpt_path).resolve().parents
        if not resumes:
            raise UserError(
                f"{folder} already holds a run: give another hydra.run.dir, "
                f"or go on with ckpt_path={folder / 'checkpoints' / 'last.ckpt'}"
            )
        if target.exists():
            earlier = len(list(folder.glob("config_*.yaml"))) + 1
            target.rename(folder / f"config_{earlier}.yaml")
    folder.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(OmegaConf.create(config), target)
