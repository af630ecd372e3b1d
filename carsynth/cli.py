"""How every door behaves: Hydra in front, one clear line and exit code 2 for a user's mistake."""

import difflib
import functools
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import NoneType
from typing import Any, NoReturn

import hydra
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    InstantiationException,
    MissingConfigException,
)
from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from carsynth.errors import UserError

_PACKAGE = Path(__file__).parent

CONFIG_DIR = str(next(d for d in (_PACKAGE / "conf", _PACKAGE.parent / "conf") if d.is_dir()))
"""Inside the package where a wheel put it, beside the package in a checkout."""

OmegaConf.register_new_resolver(
    "quarters", lambda count, number: max(count * number // 4, 1), replace=True
)


def _made(folder: str) -> str:
    Path(folder).mkdir(parents=True, exist_ok=True)
    return folder


OmegaConf.register_new_resolver("made", _made, replace=True)
# Hydra hands the cache of a sweep's config down to its jobs.
OmegaConf.register_new_resolver("once", lambda value: value, use_cache=True, replace=True)

_OF_THE_EXTRA = ("optuna", "joblib", "submitit_local", "submitit_slurm")

_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "true or false"),  # before the numbers, as Python counts it among them
    ((int, float), "a number"),
    (ListConfig, "a list"),
)


def door(config_name: str) -> Callable[[Callable[[DictConfig], Any]], Callable[[], None]]:
    """Turns a function of the composed config into the ``main`` of ``python -m carsynth.<door>``.

    A :class:`UserError`, a wrong key, group or value ends in one line on standard error and exit
    code 2. Other exceptions keep their traceback, and ``debug=true`` shows every one.
    """

    def decorate(task: Callable[[DictConfig], Any]) -> Callable[[], None]:
        @functools.wraps(task)
        def guarded(config: DictConfig) -> Any:
            try:
                _refuse_a_sweep_of_one()
                _refuse_unknown_keys(config_name)
                _refuse_wrong_types(config, config_name)
                return task(config)
            except (UserError, InstantiationException, OmegaConfBaseException) as error:
                line = _explain(error, config_name)
                if line is not None and _runs_elsewhere():
                    raise UserError(line) from error
                _leave(error, config_name)

        @functools.wraps(task)
        def main() -> None:
            # Hydra then raises its own errors in place of printing them and leaving with code 1.
            os.environ["HYDRA_FULL_ERROR"] = "1"
            run = hydra.main(version_base="1.3", config_path=CONFIG_DIR, config_name=config_name)
            try:
                run(guarded)()
            except (UserError, HydraException, OmegaConfBaseException) as error:
                _leave(error, config_name)

        return main

    return decorate


def _runs_elsewhere() -> bool:
    """Whether a launcher carries this job's error to the process that began the sweep."""
    choices = HydraConfig.get().runtime.choices
    multirun = HydraConfig.get().mode == RunMode.MULTIRUN
    return multirun and choices.get("hydra/launcher") != "basic"


def _leave(error: Exception, config_name: str) -> NoReturn:
    line = _explain(error, config_name)
    if line is None or "debug=true" in _words():
        raise error
    print(f"carsynth: {line}", file=sys.stderr)
    raise SystemExit(2)


def _explain(error: Exception, config_name: str) -> str | None:
    """The error as one line for the user; None where it is not a mistake of theirs."""
    if config_name == "train" and not _has_experiment():
        names = sorted(path.stem for path in Path(CONFIG_DIR, "experiment").glob("*.yaml"))
        return f"nothing to train: add +experiment=NAME, one of {_joined(names)}"
    if isinstance(error, UserError):
        return _one_line(error)
    if isinstance(error, InstantiationException):
        return _explain_instantiation(error)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, name = error.missing_cfg_file.rpartition("/")
        options = list(error.options or [])
        if group in ("hydra/launcher", "hydra/sweeper") and name in _OF_THE_EXTRA:
            return f"{group}={name} is not installed: pip install 'carsynth[sweeps]'"
        if group:
            return f"there is no {group}={name}{_nearest(name, options)}; known: {_joined(options)}"
    named = re.search(r"Could not (?:override|append|find) '\+?([^'=]+)", str(error))
    if isinstance(error, ConfigCompositionException) and named:
        return _unknown(named.group(1), config_name)
    if missing := re.search(r"[Mm]issing mandatory value: (\S+)", str(error)):
        return f"{missing.group(1)} is not set: add {missing.group(1)}=VALUE"
    if lacking := re.search(r"Interpolation key '([\w.]+)' not found", str(error)):
        return _lacking(lacking.group(1), config_name)
    return _one_line(error)


def _lacking(path: str, config_name: str) -> str:
    """One part of the config asks another for what it has not: the two do not go together."""
    parent, _, name = path.rpartition(".")
    choices = HydraConfig.get().runtime.choices
    if parent == "loss":
        return (
            f"arch={choices.get('arch')} does not go with loss={choices.get('loss')}: take another"
        )
    node = OmegaConf.select(_compose(config_name), parent)
    known = [str(key) for key in node] if isinstance(node, DictConfig) else []
    return f"{parent} has no {name}{_nearest(name, known)}; known: {_joined(known)}"


def _explain_instantiation(error: InstantiationException) -> str | None:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, UserError):
            return _one_line(cause)
        if isinstance(cause, OmegaConfBaseException):
            return _one_line(cause)
        text = str(cause)
        if isinstance(cause, TypeError) and (
            key := re.search(r"unexpected keyword .*?'(\w+)", text)
        ):
            where = re.search(r"full_key: (\S+)", str(error))
            prefix = f"{where.group(1)}." if where else ""
            return f"there is no key {prefix}{key.group(1)}: remove it"
        cause = cause.__cause__
    return None


def _refuse_a_sweep_of_one() -> None:
    """Hydra would pass over a sweep or launcher without ``-m`` and run a single job."""
    hydra_config = HydraConfig.get()
    # The further processes of a sweep's job are started as runs; their first one knew of the sweep.
    if hydra_config.mode == RunMode.MULTIRUN or "LOCAL_RANK" in os.environ:
        return
    for group in ("sweep", "launcher"):
        if name := hydra_config.runtime.choices.get(group):
            raise UserError(f"+{group}={name} is for several jobs: add -m in front of the words")


def _refuse_unknown_keys(config_name: str) -> None:
    """``+data.sise=3`` is legal Hydra for a new key, and nobody would ever read it.

    Only what becomes an argument of a ``_target_`` may be new; whether it is one shows there.
    """
    for word in HydraConfig.get().overrides.task:
        key = word.lstrip("+").partition("=")[0]
        if not word.startswith("+") or key in _groups():
            continue
        config = _compose(config_name)
        parent = OmegaConf.select(config, key.rpartition(".")[0]) if "." in key else None
        takes_more = isinstance(parent, DictConfig) and "_target_" in parent
        if not takes_more and key not in _paths(config):
            raise UserError(_unknown(key, config_name))


def _refuse_wrong_types(config: DictConfig, config_name: str) -> None:
    """Words where the config has a number, and the like, would fail much later and obscurely."""
    words = [word.partition("=") for word in HydraConfig.get().overrides.task]
    keys = [key for key, _, _ in words if not key.startswith(("+", "~")) and key not in _groups()]
    defaults = _compose(config_name) if keys else config
    for key in keys:
        default = OmegaConf.select(defaults, key, throw_on_missing=False)
        value = OmegaConf.select(config, key)
        for kind, expected in _KINDS:
            if isinstance(default, kind) and not isinstance(value, (kind, NoneType)):
                raise UserError(f"{key}={value} is not {expected}, as {key}={default} is")
            if isinstance(default, kind):
                break


def _unknown(key: str, config_name: str) -> str:
    if key in _groups():
        return f"{key} has no choice yet that could be changed: write +{key}=NAME"
    known = [*_paths(_compose(config_name)), *_groups()]
    if key in known:
        return f"{key} comes with the experiment that each job chooses: write ++{key}=VALUE"
    return f"there is no key or group {key}{_nearest(key, known)}"


def _groups() -> list[str]:
    return sorted(path.name for path in Path(CONFIG_DIR).iterdir() if path.is_dir())


def _words() -> list[str]:
    """This job's words; those of the process may be the whole sweep's, or a launcher's."""
    return list(HydraConfig.get().overrides.task) if HydraConfig.initialized() else sys.argv[1:]


def _has_experiment() -> bool:
    if any(word.lstrip("+").startswith("experiment=") for word in _words()):
        return True
    try:
        return "arch" in _compose("train", ["sweep"])  # a sweep may bring its own
    except HydraException:
        return False


def _compose(config_name: str, groups: list[str] | None = None) -> DictConfig:
    """The config that the choices of groups on the command line make, without its other words.

    Of a sweep over choices the first is taken; ``groups`` are all groups where it is None.
    """
    groups = _groups() if groups is None else groups
    choices = [word for word in _words() if word.lstrip("+").partition("=")[0] in groups]
    choices = [word.partition(",")[0] for word in choices if "(" not in word]
    # Inside a job the composed config is at hand already; outside, Hydra has to be started anew.
    if not GlobalHydra.instance().is_initialized():
        with initialize_config_dir(CONFIG_DIR, version_base="1.3"):
            return compose(config_name, overrides=choices)
    return compose(config_name, overrides=choices)


def _paths(config: DictConfig, prefix: str = "") -> Iterator[str]:
    for key in map(str, config):
        yield prefix + key
        node = config._get_node(key)
        if isinstance(node, DictConfig) and not node._is_missing() and not node._is_none():
            yield from _paths(node, f"{prefix}{key}.")


def _nearest(word: str, known: list[str]) -> str:
    """``; did you mean X?`` where X is close enough to be meant."""
    # Failing letters, a last part that fits: batch_size for data.batch_size.
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    close = close or [path for path in known if path.rpartition(".")[2] == word][:1]
    return f"; did you mean {close[0]}?" if close else ""


def _joined(words: list[str]) -> str:
    return ", ".join(words) or "none"


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
