"""The doors as a pipeline calls them: the commands that a person would type."""

import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from carsynth.errors import UserError


def call(door: str, words: Sequence[str], log: Path) -> None:
    """Runs ``python -m carsynth.<door>`` with its bars on this terminal, and keeps the command.

    Raises:
        UserError: the door did not succeed; it has said why.
    """
    with log.open("a") as file:
        file.write(command_line(door, words) + "\n")
    done = subprocess.run([sys.executable, "-m", f"carsynth.{door}", *words], check=False)
    if done.returncode:
        raise UserError(
            f"carsynth.{door} ended with code {done.returncode}: mend what it says above, and run "
            "the same command again to go on from here"
        )


def command_line(door: str, words: Sequence[str]) -> str:
    """As a shell takes it."""
    return shlex.join(["python", "-m", f"carsynth.{door}", *words])


def words_of(node: DictConfig, key: str) -> list[str]:
    """Overrides that make the node of that key what this one is, leaf by leaf."""
    return [f"++{name}={quoted(value)}" for name, value in _leaves(node, key)]


def _leaves(node: DictConfig, key: str) -> Iterator[tuple[str, Any]]:
    for name in map(str, node):
        if OmegaConf.is_interpolation(node, name) or OmegaConf.is_missing(node, name):
            continue
        value, path = node[name], f"{key}.{name}"
        if isinstance(value, DictConfig) and value:
            yield from _leaves(value, path)
        elif name != "_target_":
            yield path, value


def quoted(value: Any) -> str:
    """A value in Hydra's grammar, on one line."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, ListConfig | list | tuple):
        return "[" + ",".join(map(quoted, value)) + "]"
    if isinstance(value, DictConfig | dict):
        return "{" + ",".join(f"{k!s}:{quoted(v)}" for k, v in value.items()) + "}"
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return str(value)
