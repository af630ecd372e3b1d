import csv
from pathlib import Path
from typing import Any

import pytest
import wandb

from carsynth.callbacks.loggers import (
    AppendingCSVLogger,
    SeenWandbLogger,
    finish_wandb,
    make_wandb_logger,
)
from tests.callbacks.wandb_file import read_run


def rows(run_dir: Path) -> list[dict[str, str]]:
    with (run_dir / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def csv_logger(run_dir: Path, seen: int) -> AppendingCSVLogger:
    logger = AppendingCSVLogger(run_dir)
    logger.seen = lambda: seen
    return logger


def test_rows_are_in_the_file_at_once_with_epoch_and_seen(tmp_path: Path) -> None:
    logger = csv_logger(tmp_path / "run", seen=123_456_789)
    logger.log_metrics({"epoch": 3, "train/g": 0.1}, step=77)
    assert rows(tmp_path / "run") == [{"epoch": "3", "seen": "123456789", "train/g": "0.1"}]
    assert logger.log_dir == logger.save_dir == str(tmp_path / "run")


def test_a_new_name_becomes_a_column_and_old_rows_stay(tmp_path: Path) -> None:
    logger = csv_logger(tmp_path, seen=1)
    logger.log_metrics({"epoch": 0, "train/g": 1.0})
    logger.log_metrics({"epoch": 0, "val/x": 2.0})
    logger.log_metrics({"epoch": 1, "train/g": 3.0})
    assert list(rows(tmp_path)[0]) == ["epoch", "seen", "train/g", "val/x"]
    assert [row["train/g"] for row in rows(tmp_path)] == ["1.0", "", "3.0"]
    assert [row["val/x"] for row in rows(tmp_path)] == ["", "2.0", ""]
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.csv"]


def test_a_resumed_run_appends_with_other_columns(tmp_path: Path) -> None:
    csv_logger(tmp_path, seen=8).log_metrics({"epoch": 0, "train/g": 1.0})
    csv_logger(tmp_path, seen=16).log_metrics({"epoch": 1, "val/x": 2.0})
    assert [row["seen"] for row in rows(tmp_path)] == ["8", "16"]
    assert [row["val/x"] for row in rows(tmp_path)] == ["", "2.0"]


@pytest.fixture
def no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def mode(run_dir: Path) -> str:
    found: str = make_wandb_logger(run_dir)._wandb_init["mode"]
    return found


@pytest.mark.usefixtures("no_key")
def test_wandb_is_online_only_with_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert mode(tmp_path) == "offline"
    monkeypatch.setenv("WANDB_MODE", "online")
    assert mode(tmp_path) == "offline", "there is nobody to ask for a key"
    monkeypatch.delenv("WANDB_MODE")
    (tmp_path / ".netrc").write_text("machine elsewhere.org login user password secret\n")
    assert mode(tmp_path) == "offline"
    (tmp_path / ".netrc").write_text("machine api.wandb.ai login user password secret\n")
    assert mode(tmp_path) == "online"
    (tmp_path / ".netrc").unlink()
    monkeypatch.setenv("WANDB_API_KEY", "secret")
    assert mode(tmp_path) == "online"


@pytest.mark.usefixtures("no_key")
@pytest.mark.parametrize("asked", ["offline", "disabled"])
def test_wandb_mode_is_obeyed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "secret")
    monkeypatch.setenv("WANDB_MODE", asked)
    assert mode(tmp_path) == asked


def _fails_and_finishes() -> None:
    try:
        raise RuntimeError
    finally:
        finish_wandb()


@pytest.mark.slow
@pytest.mark.usefixtures("no_key")
def test_a_server_that_does_not_answer_leaves_the_run_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, modes = wandb.init, []

    def init(**options: Any) -> Any:
        modes.append(options["mode"])
        if options["mode"] == "online":
            raise wandb.errors.CommError("no answer")
        return begin(**options)

    monkeypatch.setattr(wandb, "init", init)
    monkeypatch.setenv("WANDB_API_KEY", "secret")
    logger = make_wandb_logger(tmp_path / "run", name="trial", config={"seed": 1})
    assert isinstance(logger, SeenWandbLogger)
    with pytest.warns(UserWarning, match="kept offline: no answer"):
        logger.log_metrics({"val/x": 2.0, "epoch": 0}, step=5)
    with pytest.raises(RuntimeError):
        _fails_and_finishes()
    finish_wandb()
    assert modes == ["online", "offline"]
    run = read_run(tmp_path / "run")
    assert run.exit_code == 1, "it ended in an exception"
    assert run.config["seed"] == 1
