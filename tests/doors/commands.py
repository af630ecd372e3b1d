"""The doors as people use them: real command lines in processes and folders of their own."""

import atexit
import functools
import json
import os
import subprocess
import sys
from pathlib import Path

TINY = (
    "+experiment=pix2pixhd",
    "data.source.length=40",
    "data.size=[32,32]",
    "data.batch_size=4",
    "arch.width=4",
    "arch.blocks=1",
    "trainer=cpu",
    "trainer.max_epochs=1",
    "metric=random_inception",
)
"""A run of seconds."""


_NEEDS_AN_INTERPRETER = ("-m", "trainer=ddp_cpu")
"""Words that have a door start processes of its own from its command line."""


def run(folder: Path, door: str, *words: str) -> subprocess.CompletedProcess[str]:
    """``python -m carsynth.<door>`` in ``folder``, without keys, caches or a terminal."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("WANDB_")}
    environment |= {"HOME": str(home), "TORCH_HOME": str(home)}
    # joblib would set the second by the number of cores, and sums round by the number of threads.
    environment |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    if any(word in _NEEDS_AN_INTERPRETER for word in words):
        return subprocess.run(
            [sys.executable, "-m", f"carsynth.{door}", *words],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )
    out, err = home / "out.txt", home / "err.txt"
    command = {"door": door, "words": words, "folder": str(folder), "environment": environment}
    code = _server(command | {"out": str(out), "err": str(err)})
    return subprocess.CompletedProcess(list(words), code, out.read_text(), err.read_text())


def _server(command: dict[str, object]) -> int:
    """The exit code of a command, run in a fork of a process that is kept for all of them."""
    server = _started()
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(json.dumps(command) + "\n")
    server.stdin.flush()
    return int(server.stdout.readline())


@functools.cache
def _started() -> subprocess.Popen[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("WANDB_")}
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.doors.server"],
        cwd=Path(__file__).parents[2],
        env=environment | {"OMP_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    assert server.stdout.readline() == "ready\n"
    atexit.register(server.kill)
    return server


def succeed(folder: Path, door: str, *words: str) -> str:
    """What a door prints that has to succeed."""
    done = run(folder, door, *words)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def mistake(folder: Path, door: str, *words: str) -> str:
    """The one line of a door that has to refuse."""
    done = run(folder, door, *words)
    assert done.returncode == 2, (done.returncode, done.stderr[-3000:])
    assert "Traceback" not in done.stderr + done.stdout
    lines = [line for line in done.stderr.splitlines() if line.startswith("carsynth: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]
