"""The product's steps in a real fit, and as many plain reference steps timed in turn with them.

The two run in processes of their own, each with a heap like its users', and wait for each other:
a few steps of one, then as many of the other, so that most steps follow one of their own kind, as
they do in training, and both see the same moods of the machine.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple, cast

from lightning.pytorch import Callback, LightningModule, Trainer
from torch.utils.data import DataLoader, Dataset

from carsynth.data.batch import CarBatch

TURN = 8
"""Steps of one kind before it is the other's turn."""
ROUNDS = 3
STEPS = TURN * (1 + ROUNDS)
"""Of a whole measurement; the first turn warms up."""

VARIANTS: dict[str, dict[str, Any]] = {
    "eager": {"compile": False, "precision": "32-true"},
    "compiled": {"compile": True, "precision": "32-true"},
    "compiled bf16": {"compile": True, "precision": "bf16-mixed"},
}


class Times(NamedTuple):
    """Medians over the rounds."""

    reference: float
    """Seconds of a reference step."""
    ratio: float
    """The product's pictures a second over the reference's."""


class Elsewhere:
    """A step in a process of its own, ``python -m MODULE WORDS``, that :func:`serve` runs there."""

    def __init__(self, module: str, *words: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __call__(self) -> float:
        """Mean seconds of the steps of a turn, taken now."""
        asks, answers = self._process.stdin, self._process.stdout
        assert asks is not None
        assert answers is not None
        print(file=asks, flush=True)
        answer = answers.readline()
        if not answer:
            raise RuntimeError(f"{self._process.args!r} ended before it was asked to")
        return float(answer)

    def close(self) -> None:
        """Lets the process end."""
        self._process.communicate()


def serve(step: Callable[[], object]) -> None:
    """Takes a turn of steps and prints their mean seconds for every line that comes in."""
    for _ in sys.stdin:
        began = time.perf_counter()
        for _ in range(TURN):
            step()
        print((time.perf_counter() - began) / TURN, flush=True)


class Beside(Callback):
    """Times the product's turns, and has the reference take its own after each of them."""

    def __init__(self, reference: Callable[[], float] = lambda: 0.0) -> None:
        self._reference = reference
        self._began = 0.0
        self.ours: list[float] = []
        """Mean seconds of a step, turn by turn."""
        self.theirs: list[float] = []

    def on_train_batch_start(self, *arguments: Any) -> None:
        if arguments[-1] % TURN == 0:
            self._began = time.perf_counter()

    def on_train_batch_end(self, *arguments: Any) -> None:
        if arguments[-1] % TURN == TURN - 1:
            self.ours.append((time.perf_counter() - self._began) / TURN)
            self.theirs.append(self._reference())

    def times(self) -> Times:
        """Medians over the turns after the first."""
        ratios = [b / a for a, b in zip(self.ours[1:], self.theirs[1:], strict=True)]
        return Times(statistics.median(self.theirs[1:]), statistics.median(ratios))


def fit(
    module: LightningModule, batch: CarBatch, steps: int, precision: Any, *callbacks: Callback
) -> None:
    """A real fit of so many batches, quiet."""
    trainer = Trainer(
        accelerator="cpu",
        devices=1,
        precision=precision,
        max_epochs=1,
        callbacks=list(callbacks),
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    steps_of_it = cast(Dataset[CarBatch], [batch] * steps)
    trainer.fit(module, DataLoader(steps_of_it, batch_size=None))


def elsewhere(module: str, *words: str) -> list[float]:
    """The numbers in the last line that ``python -m MODULE WORDS`` prints, from a fresh process."""
    command = [sys.executable, "-m", module, *words]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return [float(word) for word in done.stdout.splitlines()[-1].split()]
