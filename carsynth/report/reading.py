"""What earlier stages left, as far as it is there."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError  # type: ignore[import-untyped]

from carsynth.errors import UserError
from carsynth.report.markup import Html, joined, paragraph
from carsynth.report.wording import Trained, trained_stage


class Lacking(Exception):
    """Something that the page would show is not there; the message is the line that says so."""


def read_json(root: Path, name: str) -> dict[str, Any]:
    """The mapping in a file below the root.

    Raises:
        Lacking: it is missing or damaged.
    """
    try:
        found = json.loads((root / name).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise Lacking(f"{name} is not there.") from error
    except (OSError, ValueError) as error:
        raise Lacking(f"{name} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise Lacking(f"{name} holds no mapping.")
    return found


def read_config(root: Path) -> dict[str, Any]:
    """The resolved config of the pipeline; empty where there is none."""
    try:
        text = (root / "config.yaml").read_text(encoding="utf-8")
        found = OmegaConf.to_container(OmegaConf.create(text))
    except (OSError, ValueError, YAMLError, OmegaConfBaseException):
        return {}
    return {str(key): value for key, value in found.items()} if isinstance(found, dict) else {}


def mapping_in(config: dict[str, Any], key: str) -> dict[str, Any]:
    """What stands under a key; empty where that is nothing, or no mapping."""
    found = config.get(key)
    return found if isinstance(found, dict) else {}


def shown(part: Callable[[], Html]) -> Html:
    """A part of the page, or one line where its material is missing, damaged or of another form."""
    try:
        return part()
    except (Lacking, UserError) as lack:
        return paragraph(f"Left out: {lack}", class_="lacking")
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        told = f"Left out: what was found has another form ({type(error).__name__}: {error})."
        return paragraph(told, class_="lacking")


def all_shown(parts: Iterable[Callable[[], Html]]) -> Html:
    """One behind the other; what several say alike, such as what all lack, once."""
    return joined(dict.fromkeys(map(shown, parts)))


def trained_stages(root: Path) -> list[str]:
    """Folders of stages that train: on all labelled pictures first, then on ever fewer."""
    names = [path.name for path in root.iterdir() if path.is_dir() and trained_stage(path.name)]
    return sorted(names, key=lambda name: _rank(trained_stage(name)))


def suffixes(root: Path, name: str) -> list[str]:
    """Of the folders of one stage: nothing for all labelled pictures, then ``_100``, ``_25``."""
    ends = (path.name.removeprefix(name) for path in root.glob(f"{name}*") if path.is_dir())
    counts = sorted({int(end[1:]) for end in ends if end[:1] == "_" and end[1:].isdigit()})
    alone = [""] if (root / name).is_dir() else []
    return alone + [f"_{count}" for count in reversed(counts)]


def is_pretrained(root: Path) -> bool:
    """Whether the pipeline pre-trains its photo models."""
    return (root / "pretrain").is_dir()


def _rank(stage: Trained | None) -> tuple[float, int]:
    assert stage is not None
    order = ("maps", "pretrain", "photos_scratch", "photos")
    return -float("inf" if stage.labelled is None else stage.labelled), order.index(stage.kind)
