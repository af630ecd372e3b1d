"""Checkpoints: read without executing anything, rebuilt into a module, started from."""

import pickle
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import Tensor, nn

from carsynth.callbacks.run_record import CHECKPOINT_KEY
from carsynth.errors import UserError
from carsynth.modules.generative import GenerativeModule


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """The contents of a carsynth checkpoint, tensors on the CPU.

    Loaded with ``weights_only``: a file that carries pickled code is refused, never executed.

    Raises:
        UserError: the file is missing, torn, not a carsynth checkpoint, or carries code.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"there is no checkpoint at {path}: give the path of a best.ckpt")
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if zipfile.is_zipfile(path):
            raise UserError(
                f"{path} carries pickled code and was not loaded: "
                "take a checkpoint that carsynth.train wrote"
            ) from error
        raise UserError(_TORN.format(path=path)) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise UserError(_TORN.format(path=path)) from error
    if not isinstance(checkpoint, dict) or CHECKPOINT_KEY not in checkpoint:
        raise UserError(
            f"{path} was not written by carsynth.train: give a best.ckpt or last.ckpt of a run"
        )
    return checkpoint


_TORN = "{path} is truncated or not a checkpoint: copy it again or take another of the run"


def check_resumable(path: str | Path, config: dict[str, Any]) -> None:
    """Stops a run that would go on from another model's checkpoint.

    Raises:
        UserError: the checkpoint cannot be read, or its arch is not the config's; names the keys.
    """
    theirs = read_checkpoint(path)[CHECKPOINT_KEY]["config"]["arch"]
    ours = config["arch"]
    differing = sorted(
        key
        for key in ours.keys() | theirs.keys()
        if key != "module" and ours.get(key) != theirs.get(key)
    )
    if differing:
        changes = ", ".join(f"arch.{k}={theirs.get(k)}, not {ours.get(k)}" for k in differing)
        raise UserError(
            f"ckpt_path={path} is of another model ({changes}): "
            "set those keys, or start from its weights with init_from"
        )


def module_from_checkpoint(checkpoint: dict[str, Any], path: str | Path) -> GenerativeModule:
    """The module that a checkpoint was trained as, with its weights, in eval mode.

    Raises:
        UserError: the weights do not fit the networks that the checkpoint's own config describes.
    """
    config = OmegaConf.create(checkpoint[CHECKPOINT_KEY]["config"])
    # A perceptual network is of use in training only, and its weights may not be at hand here.
    if "perceptual" in config.arch.module:
        config.arch.module.perceptual = None
    module: GenerativeModule = instantiate(config.arch.module)
    try:
        module.load_state_dict(checkpoint["state_dict"])
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise UserError(
            f"{path} does not fit this version's {config.arch.name} ({first}): "
            f"use carsynth {checkpoint[CHECKPOINT_KEY]['version']} with it"
        ) from error
    module.on_load_checkpoint(checkpoint)
    return module.eval()


class WarmStart(NamedTuple):
    """Which weights ``init_from`` took and which it could not."""

    taken: list[str]
    other_shape: list[str]
    absent: list[str]

    def report(self, path: str) -> str:
        """One line for the user."""
        line = f"init_from={path}: {len(self.taken)} tensors taken"
        if self.other_shape:
            line += f"; {len(self.other_shape)} of another shape left as drawn: " + ", ".join(
                self.other_shape
            )
        if self.absent:
            line += f"; {len(self.absent)} not in the checkpoint left as drawn: " + ", ".join(
                self.absent
            )
        return line


def warm_start(module: nn.Module, path: str) -> WarmStart:
    """Takes every weight of the same name and shape from another run; optimisers stay fresh.

    A generator of one arch fits the global generator inside a local enhancer's, so that G1 may be
    trained alone first (pix2pixHD, section 3.2).

    Raises:
        UserError: the checkpoint cannot be read, or shares no weight with the module.
    """
    theirs: dict[str, Tensor] = read_checkpoint(path)["state_dict"]
    ours = module.state_dict()
    inner = "global_generator."
    if any(inner in name for name in ours) and not any(inner in name for name in theirs):
        nested = {}
        for name, tensor in theirs.items():
            for prefix in ("generator.", "generator_ema.module."):
                if name.startswith(prefix):
                    nested[prefix + inner + name.removeprefix(prefix)] = tensor
        theirs = {**theirs, **nested}
    taken, other_shape, absent = [], [], []
    for name, tensor in ours.items():
        if name not in theirs:
            absent.append(name)
        elif theirs[name].shape != tensor.shape:
            other_shape.append(name)
        else:
            tensor.copy_(theirs[name])
            taken.append(name)
    if not taken:
        raise UserError(
            f"init_from={path} shares no weight with this model: start from a run of the same arch"
        )
    return WarmStart(taken, other_shape, absent)
