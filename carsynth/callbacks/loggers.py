"""Where logged numbers go: one CSV file in the run folder, and W&B, online only with a key."""

import csv
import netrc
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only, rank_zero_warn

INIT_SECONDS = 30.0
"""Longest wait for the W&B server before a run goes on offline."""


class AppendingCSVLogger(Logger):
    """Appends each logged row to ``metrics.csv`` at once, after what a resumed run left there.

    Columns: ``epoch`` (from 0), ``seen`` (real photos that D has seen), then every name in the
    order of its first appearance. A new name rewrites the file with a longer header.

    Args:
        run_dir: the run folder; made if it is missing.
    """

    def __init__(self, run_dir: str | os.PathLike[str]) -> None:
        super().__init__()
        self._run_dir = Path(run_dir)
        self._columns: list[str] | None = None
        self.seen: Callable[[], int] | None = None
        """Gives each row its count; :class:`~carsynth.callbacks.run_record.RunRecord` sets it."""

    @property
    def name(self) -> str:
        return ""

    @property
    def version(self) -> str:
        return ""

    @property
    def save_dir(self) -> str:
        return str(self._run_dir)

    @property
    def log_dir(self) -> str:
        return str(self._run_dir)

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: the run folder's ``config.yaml`` holds them."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Writes one row; ``step`` is left out, for two optimisers double it."""
        row: dict[str, Any] = {"epoch": None, **metrics}
        if self.seen is not None:
            row["seen"] = self.seen()
        path = self._run_dir / "metrics.csv"
        if self._columns is None:
            self._columns = self._header(path)
        missing = [name for name in row if name not in self._columns]
        if missing or not path.exists():
            self._columns += missing
            self._rewrite(path)
        with path.open("a", newline="") as file:
            csv.DictWriter(file, self._columns).writerow(row)

    def _header(self, path: Path) -> list[str]:
        if path.exists():
            with path.open(newline="") as file:
                if header := next(csv.reader(file), None):
                    return header
        return ["epoch", "seen"]

    def _rewrite(self, path: Path) -> None:
        assert self._columns is not None
        rows: list[dict[str, Any]] = []
        if path.exists():
            with path.open(newline="") as file:
                rows = list(csv.DictReader(file))
        self._run_dir.mkdir(parents=True, exist_ok=True)
        partial = path.with_name("metrics.csv.partial")
        with partial.open("w", newline="") as file:
            writer = csv.DictWriter(file, self._columns)
            writer.writeheader()
            writer.writerows(rows)
        os.replace(partial, path)


class SeenWandbLogger(WandbLogger):
    """Lightning's W&B logger with the count of photos seen as the x-axis of every curve.

    :func:`make_wandb_logger` makes it.
    """

    seen: Callable[[], int] | None = None
    """As for :class:`AppendingCSVLogger`."""

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The ``wandb.Run``, begun at the first use; offline where the server does not answer."""
        import wandb

        if self._experiment is None:
            options = {k: v for k, v in self._wandb_init.items() if k != "anonymous"}
            os.makedirs(options["dir"], exist_ok=True)
            try:
                run = wandb.init(**options)
            except wandb.Error as error:
                rank_zero_warn(f"W&B cannot be reached, the run is kept offline: {error}")
                run = wandb.init(**{**options, "mode": "offline"})
            run.define_metric("seen")
            run.define_metric("*", step_metric="seen")
            self._experiment = run
        return self._experiment

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Logs one row; ``step`` is left out, for two optimisers double it."""
        count = {} if self.seen is None else {"seen": self.seen()}
        self.experiment.log({**metrics, **count})


def make_wandb_logger(
    run_dir: str | os.PathLike[str],
    project: str = "carsynth",
    name: str | None = None,
    config: Mapping[str, Any] | None = None,
) -> SeenWandbLogger:
    """A W&B logger that never asks anything and keeps its files in ``<run_dir>/wandb``.

    Offline unless a key is there (``WANDB_API_KEY``, or the server's entry in netrc);
    ``WANDB_MODE`` set to offline or disabled is obeyed. No run begins before the first use.

    Args:
        run_dir: the run folder.
        project: the W&B project.
        name: the run's display name; None lets W&B invent one.
        config: the resolved config in plain containers, for the run's page.
    """
    import wandb

    asked = os.environ.get("WANDB_MODE", "")
    mode = "online" if _has_key() else "offline"
    if asked in ("offline", "dryrun"):
        mode = "offline"
    elif asked == "disabled":
        mode = "disabled"
    return SeenWandbLogger(
        project=project,
        name=name,
        save_dir=Path(run_dir),
        config=dict(config or {}),
        mode=mode,
        reinit="finish_previous",
        # Offline it has nothing to say that the run folder does not show.
        settings=wandb.Settings(init_timeout=INIT_SECONDS, silent=mode != "online"),
    )


def finish_wandb() -> None:
    """Closes the process's W&B run, if there is one; call it in a ``finally``.

    W&B shows the run as failed while an exception is on its way out, else as finished.
    """
    if (wandb := sys.modules.get("wandb")) is not None and wandb.run is not None:
        wandb.finish(exit_code=0 if sys.exc_info()[0] is None else 1)


def _has_key() -> bool:
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlsplit(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).netloc
    home = Path.home()
    paths = [os.environ.get("NETRC"), home / ".netrc", home / "_netrc"]
    for path in paths:
        try:
            if path is not None and netrc.netrc(str(path)).authenticators(host):
                return True
        except (OSError, netrc.NetrcParseError):
            continue
    return False
