"""What the processes of one run owe each other: one voice, and a command line to start more."""

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import torch.distributed as dist
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig, OmegaConf


@rank_zero_only
def announce(line: str) -> None:
    """Prints a line once, whatever the number of processes."""
    print(f"carsynth: {line}", flush=True)


_REMARKS = (
    r".*isinstance\(treespec, LeafSpec\).*",  # between Lightning and torch
    r".*torch.distributed.nn.functional.all_gather is deprecated.*",
    r".*module\(s\) in eval mode at the start of training.*",  # the EMA copy is meant to be
    r".*does not have many workers.*",  # samples are cached
    r".*is smaller than the logging interval.*",  # the score is logged every epoch all the same
    r"You have overridden `on_after_batch_transfer`.*",  # meant: the module says what it draws
    r"Checkpoint directory .* exists and is not empty.*",  # run_folder.py sees to that
)


def hush() -> None:
    """Leaves out what Lightning says on every run and a user of carsynth can do nothing about."""
    for remark in _REMARKS:
        warnings.filterwarnings("ignore", message=remark)
    for name in ("lightning.pytorch.utilities.rank_zero", "lightning.fabric.utilities.rank_zero"):
        logging.getLogger(name).addFilter(lambda record: not _is_remark(record.getMessage()))


def _is_remark(message: str) -> bool:
    return message.startswith(("GPU available", "TPU available")) or "litlogger" in message


@contextmanager
def replayable() -> Iterator[None]:
    """Lets Lightning start this job's other processes, also when the job is one of a sweep.

    Lightning starts them with this process's own command line. In a sweep that is the command of
    the whole sweep, so the job's overrides and folder take its place while the job lasts. What
    Lightning leaves behind, variables in the environment and a process group whose other members
    are gone, would have the next job wait for processes that nobody starts.
    """
    argv, environment = list(sys.argv), dict(os.environ)
    if HydraConfig.initialized():
        hydra = HydraConfig.get()
        if hydra.mode == RunMode.MULTIRUN:
            sys.argv[1:] = list(hydra.overrides.task)
            OmegaConf.set_readonly(cast(DictConfig, hydra), False)
            hydra.run.dir = hydra.runtime.output_dir
    try:
        yield
    finally:
        sys.argv[:] = argv
        if dist.is_available() and dist.is_initialized():
            dist.destroy_process_group()
        for name in ("LOCAL_RANK", "NODE_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
            if name in environment:
                os.environ[name] = environment[name]
            else:
                os.environ.pop(name, None)
