"""Reads an offline W&B run back from its ``.wandb`` file.

The file is a LevelDB log: a header of seven bytes, then blocks of 32 KiB filled with chunks of
checksum (4), length (2), type (1: whole, 2: first, 3: middle, 4: last) and data; what the chunks
hold are ``Record`` messages.
"""

import json
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from wandb.proto.wandb_internal_pb2 import Record

_BLOCK = 1 << 15


class WandbRun(NamedTuple):
    history: list[dict[str, Any]]
    summary: dict[str, Any]
    config: dict[str, Any]
    step_metrics: dict[str, str]
    """x-axis of each defined metric."""
    exit_code: int | None


def read_run(run_dir: Path) -> WandbRun:
    """The one offline run under ``<run_dir>/wandb``, once W&B's own process has closed it."""
    (path,) = (run_dir / "wandb").glob("offline-run-*/*.wandb")
    for _ in range(300):
        if (run := _read(path)).exit_code is not None:
            break
        time.sleep(0.1)
    return run


def _read(path: Path) -> WandbRun:
    run = WandbRun([], {}, {}, {}, None)
    for data in _records(path.read_bytes()):
        record = Record.FromString(data)
        if record.HasField("history"):
            run.history.append(_nested(record.history.item))
        if record.HasField("summary"):
            run.summary.update(_nested(record.summary.update))
        for part in (record.config, record.run.config):
            run.config.update(_nested(part.update))
        if record.HasField("metric"):
            metric = record.metric
            run.step_metrics[metric.name or metric.glob_name] = metric.step_metric
        if record.HasField("exit"):
            run = run._replace(exit_code=record.exit.exit_code)
    return run


def _nested(items: Any) -> dict[str, Any]:
    """Items whose keys are single or paths, as one dictionary."""
    found: dict[str, Any] = {}
    for item in items:
        *path, name = item.nested_key or [item.key]
        inner = found
        for key in path:
            inner = inner.setdefault(key, {})
        inner[name] = json.loads(item.value_json)
    return found


def _records(data: bytes) -> Iterator[bytes]:
    assert data[:4] in (b":W&B", b"")
    at, parts = 7, []
    while at + 7 <= len(data):
        room = _BLOCK - at % _BLOCK
        if room < 7:
            at += room
            continue
        length, kind = struct.unpack_from("<HB", data, at + 4)
        if at + 7 + length > len(data):  # still being written
            return
        parts.append(data[at + 7 : at + 7 + length])
        at += 7 + length
        if kind in (1, 4):
            yield b"".join(parts)
            parts = []
