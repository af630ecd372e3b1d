"""Generated pictures as their shards tell of them: what each shows, and some to look at."""

import json
import tarfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from carsynth.export.labelled import LabelledPicture
from carsynth.generation.shards import read_shard
from carsynth.report.reading import Lacking


def infos(folder: Path) -> Iterator[dict[str, Any]]:
    """Of every picture of every shard, without decoding the pictures.

    Raises:
        Lacking: there is no shard, or one is damaged.
    """
    for path in _paths(folder):
        try:
            with tarfile.open(path) as shard:
                for entry in shard:
                    if entry.name.endswith(".json") and (file := shard.extractfile(entry)):
                        yield json.loads(file.read())
        except (tarfile.TarError, ValueError, OSError) as error:
            raise Lacking(f"{folder.name}/{path.name} is damaged: {error}") from error


def examples(folder: Path, count: int) -> list[LabelledPicture]:
    """The first pictures of shards that lie evenly among all, one a part map.

    Raises:
        Lacking: there is no shard.
        UserError: one is damaged.
    """
    paths = _paths(folder)
    chosen = paths[:: max(1, len(paths) // count)][:count]
    found: list[LabelledPicture] = []
    for number, path in enumerate(chosen):
        wanted = count * (number + 1) // len(chosen) - count * number // len(chosen)
        found += islice(_one_a_map(path), wanted)
    return found


def _one_a_map(path: Path) -> Iterator[LabelledPicture]:
    before = object()
    for picture in read_shard(path):
        if picture.info.get("map", picture.name) != before:
            before = picture.info.get("map", picture.name)
            yield picture


def _paths(folder: Path) -> list[Path]:
    paths = sorted(folder.glob("shard-*.tar"))
    if not paths:
        raise Lacking(f"{folder.name} holds no shard.")
    return paths
