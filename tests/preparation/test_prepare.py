"""``python -m carsynth.prepare`` as people use it, and the YAML of every task."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf

from carsynth.cli import CONFIG_DIR
from tests.data.cars import noise, save
from tests.doors.commands import mistake, succeed
from tests.preparation.photo_server import PhotoServer, serving

NEEDED = {"fetch": ("table=cars.csv", "output_dir=out"), "clean": ("root=cars", "output_dir=out")}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[PhotoServer]:
    monkeypatch.setenv("no_proxy", "*")
    with serving() as server:
        yield server


@pytest.mark.parametrize("task", NEEDED)
def test_every_key_of_a_task_reaches_it(task: str) -> None:
    with initialize_config_dir(CONFIG_DIR, version_base="1.3"):
        config = compose("prepare", [f"task={task}", *NEEDED[task]])
    assert hasattr(instantiate(config.task), "run")
    keys = config.keys() - {"task", "debug"}
    raw = OmegaConf.to_yaml(config.task)
    for key in keys:
        assert f"${{{key}}}" in raw, key


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "You must specify 'task'"),
        (("task=fecth",), "there is no task=fecth; did you mean fetch?"),
        (("task=fetch", "output_dir=out"), "table is not set: add table=VALUE"),
        (("task=fetch", *NEEDED["fetch"]), "table cars.csv does not exist: check table=FILE"),
        (("task=fetch", "tabel=cars.csv"), "no key or group tabel; did you mean table?"),
        (("task=fetch", *NEEDED["fetch"], "+workrs=3"), "workrs; did you mean workers?"),
        (("task=fetch", *NEEDED["fetch"], "min_side=3"), "there is no key or group min_side"),
        (("task=fetch", *NEEDED["fetch"], "workers=many"), "workers=many is not a number"),
        (("task=fetch", *NEEDED["fetch"], "per_host=0"), "per_host=0: give 1 or more"),
        (("task=clean", *NEEDED["clean"]), "data folder cars does not exist"),
        (("task=clean", *NEEDED["clean"], "device=abacus"), "device=abacus is not to be had"),
    ],
)
def test_mistakes(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    assert said in mistake(tmp_path, "prepare", *words)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_fetched_photos_are_looked_over(server: PhotoServer, tmp_path: Path) -> None:
    lines = [server.at(f"photo/{name}") for name in ("1", "2", "33", "missing/4")]
    (tmp_path / "cars.csv").write_text("\n".join(["photo", *lines, server.at("missing")]) + "\n")
    words = ("table=cars.csv", "output_dir=cars", "pause=0")
    said = succeed(tmp_path, "prepare", "task=fetch", *words)
    assert "4 fetched, 0 there before, 1 failed; see cars/failed.csv" in said
    save(noise(80, 120), tmp_path / "cars" / "own.png")
    said = succeed(tmp_path, "prepare", "task=clean", "root=cars", "output_dir=out")
    assert "too small           4" in said
    assert "duplicate           1" in said  # the same noise from photo/1 and photo/2
    assert (tmp_path / "out" / "report.png").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cars", "cars.csv", "home", "out"]
