"""Labelled pictures on order through the real door: by one process and by several, killed, full."""

import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf

from carsynth.callbacks.run_record import CHECKPOINT_KEY
from carsynth.cli import CONFIG_DIR
from carsynth.export.labelled import LabelledPicture
from carsynth.generation.kinds import KINDS
from carsynth.generation.reference import Reference
from carsynth.generation.shards import read_shard
from carsynth.modules.pix2pixhd import Pix2PixHD
from tests.doors import commands
from tests.doors.commands import TINY, mistake, run, succeed
from tests.generation.stand_ins import toy_reference
from tests.generation.stored_gan import save_stored_gan

pytestmark = pytest.mark.slow

SMALL = tuple(word for word in TINY if not word.startswith(("+experiment", "arch.blocks")))
MAPS = ("+experiment=fewshot", "arch.map_encoding=classes", "arch.diffaug.colour=false")
BALANCE = "balance={view: uniform, doors: {3: 0.5, 5: 0.5}}"


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory, finished: Path) -> Path:
    """A folder with checkpoints: ``maps`` and ``photos`` of tiny runs, ``cars`` that draws cars,
    ``looks`` that paints a map differently each time; and what is learnt of drawn cars."""
    folder = tmp_path_factory.mktemp("models")
    succeed(folder, "train", *MAPS, *SMALL, "callbacks=latent_maps", "hydra.run.dir=run")
    shutil.copy(folder / "run" / "checkpoints" / "best.ckpt", folder / "maps.ckpt")
    shutil.copy(finished / "checkpoints" / "best.ckpt", folder / "photos.ckpt")
    save_stored_gan(folder / "maps.ckpt", folder / "cars.ckpt")
    save_looks(folder / "looks.ckpt")
    toy_reference(150, 4).save(folder / "reference.pt")
    return folder


def save_looks(path: Path) -> None:
    """The checkpoint of a pix2pixHD that has stored looks and has learnt nothing else."""
    words = ["+experiment=pix2pixhd", "arch=pix2pixhd_looks", "data.size=[32,32]", "arch.width=4"]
    with initialize_config_dir(CONFIG_DIR, version_base="1.3"):
        config = compose("train", [*words, "arch.blocks=1", "run_dir=run", "name=looks"])
    module: Pix2PixHD = instantiate(config.arch.module)
    assert module.clusters is not None
    draws = torch.Generator().manual_seed(0)
    module.clusters.fit(torch.rand(300, 20, 3, generator=draws), draws)
    told = {name: OmegaConf.to_container(config[name], resolve=True) for name in ("arch", "data")}
    checkpoint = {"state_dict": module.state_dict(), CHECKPOINT_KEY: {"config": told}}
    module.on_save_checkpoint(checkpoint)
    torch.save(checkpoint, path)


def words(models: Path, out: Path | str, *more: str) -> list[str]:
    """An order of 46 pictures in 23 shards, of maps that need not be cars."""
    own = [f"{name}_from={models / name}.ckpt" for name in ("maps", "photos")]
    order = ("num_images=46", "maps_per_shard=2", "check=false", "seed=3")
    return [*own, *order, *more, f"output_dir={out}"]


def cars(models: Path, out: Path | str, *more: str) -> list[str]:
    """An order of 80 cars in 8 shards, as many of each view and number of doors."""
    order = ("num_images=80", "maps_per_shard=10", "check=true", BALANCE, "attempts=1000")
    reference = f"reference={models / 'reference.pt'}"
    return words(models, out, f"maps_from={models / 'cars.ckpt'}", reference, *order, *more)


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, hidden ones too."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def pictures(folder: Path) -> list[LabelledPicture]:
    return [one for path in sorted(folder.glob("shard-*.tar")) for one in read_shard(path)]


@pytest.fixture(scope="session")
def undisturbed(models: Path) -> dict[str, bytes]:
    """What one process makes of the order."""
    succeed(models, "generate", *words(models, "undisturbed"))
    return content(models / "undisturbed")


def test_an_order_leaves_shards_and_what_is_known_of_them(
    models: Path, undisturbed: dict[str, bytes]
) -> None:
    assert undisturbed.keys() == {"order.json", "generated.json"} | {
        f"shard-{number:06d}.{suffix}" for number in range(23) for suffix in ("tar", "json")
    }
    made = pictures(models / "undisturbed")
    assert [one.name for one in made] == [f"{number:08d}" for number in range(46)]
    assert len({one.photo.tobytes() for one in made}) == 46
    told = json.loads(undisturbed["generated.json"])
    assert (told["synthetic"], told["pictures"], told["rejected"]) == (True, 46, {})
    assert told["size"] == [32, 32]
    assert told["models"].keys() == {"maps", "photos"}
    assert json.loads(undisturbed["order.json"]).items() <= told.items()


@pytest.mark.parametrize("world", [2, 3])
def test_several_processes_make_the_same(
    world: int,
    models: Path,
    undisturbed: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WORLD_SIZE", str(world))
    for rank in reversed(range(world)):
        assert "generated.json" not in {path.name for path in tmp_path.glob("out/*")}
        monkeypatch.setenv("RANK", str(rank))
        said = succeed(tmp_path, "generate", *words(models, "out"))
        shards = len(list((tmp_path / "out").glob("shard-*.tar")))
        assert (f"{23 - shards} of 23 shards are other processes'" in said) == (rank > 0)
    assert content(tmp_path / "out") == undisturbed


def test_torchrun_makes_the_same(
    models: Path, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"]
    command += ["--master_port", str(port), "-m", "carsynth.generate", *words(models, "out")]
    environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert content(tmp_path / "out") == undisturbed


def test_srun_makes_a_share_and_a_batch_script_all(
    models: Path,
    undisturbed: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SLURM_NTASKS", "2")
    monkeypatch.setenv("SLURM_PROCID", "0")
    succeed(tmp_path, "generate", *words(models, "out"))
    assert content(tmp_path / "out") == undisturbed
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "2")
    succeed(tmp_path, "generate", *words(models, "half"))
    assert len(list((tmp_path / "half").glob("*.tar"))) == 12


def killed(folder: Path, seconds: float, *order: str) -> bool:
    """Starts an order and sends SIGKILL so long after its first shard; whether it hit."""
    out = folder / "out"
    before = len(list(out.glob("*.tar")))
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(run, folder, "generate", *order)
        while not running.done() and len(list(out.glob("*.tar"))) == before:
            time.sleep(0.001)
        time.sleep(seconds)
        server = commands._started().pid
        for child in Path(f"/proc/{server}/task/{server}/children").read_text().split():
            os.kill(int(child), signal.SIGKILL)
        return running.result().returncode == -signal.SIGKILL


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="no /proc")
def test_a_killed_order_goes_on_to_the_same_bytes(
    models: Path, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    draws = random.Random(0)
    order = words(models, "out")
    hits = 0
    for _ in range(6):
        hits += killed(tmp_path, draws.uniform(0, 0.15), *order)
        for path in (tmp_path / "out").glob("*.tar"):
            assert path.read_bytes() == undisturbed[path.name]
    assert hits, "none was killed before its end"
    succeed(tmp_path, "generate", *order)
    assert content(tmp_path / "out") == undisturbed


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 128 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "none", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no small disk can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_fills_up_half_way(
    models: Path, undisturbed: dict[str, bytes], tmp_path: Path, small_disk: Path
) -> None:
    order = words(models, small_disk / "out")
    line = mistake(tmp_path, "generate", *order)
    assert "cannot be written (No space left on device): make room" in line
    left = content(small_disk / "out")
    shards = [name for name in left if name.endswith(".tar")]
    assert 0 < len(shards) < 23
    assert "generated.json" not in left
    for name in left:
        assert left[name] == undisturbed[name]
        assert name == "order.json" or f"{Path(name).stem}.tar" in left
    grown = ["mount", "-o", "remount,size=16m", str(small_disk)]
    subprocess.run(grown, check=True)
    succeed(tmp_path, "generate", *order)
    assert content(small_disk / "out") == undisturbed


def test_another_order_in_the_same_folder(models: Path, undisturbed: dict[str, bytes]) -> None:
    line = mistake(models, "generate", *words(models, "undisturbed", "seed=4"))
    assert "output_dir=undisturbed holds another order (seed 3, not 4): name a new folder" in line
    line = mistake(models, "generate", *words(models, "undisturbed", BALANCE))
    assert "holds another order (balance {}, not {'view': 'uniform'" in line
    succeed(models, "generate", *words(models, "undisturbed", "attempts=7"))
    assert content(models / "undisturbed") == undisturbed


def test_balance_is_kept_and_what_is_thrown_away_is_counted(models: Path, tmp_path: Path) -> None:
    said = succeed(tmp_path, "generate", *cars(models, "out"))
    made = pictures(tmp_path / "out")
    kinds = Counter((one.info["view"], one.info["doors"]) for one in made)
    assert kinds == Counter({(view, doors): 10 for view in "ABCD" for doors in "35"})
    reference = Reference.load(models / "reference.pt")
    for one in made:
        assert reference.rules.objection(one.part_map) is None
        assert {name: kind.read(one.part_map) for name, kind in KINDS.items()} == {
            name: one.info[name] for name in KINDS
        }
    told = json.loads((tmp_path / "out" / "generated.json").read_text())
    assert told["rejected"].keys() > {"view A in place of B", "doors unknown in place of 5"}
    assert sum(told["rejected"].values()) == sum(one.info["attempt"] for one in made)
    records = [json.loads(path.read_text()) for path in (tmp_path / "out").glob("shard-*.json")]
    added = sum((Counter(record["rejected"]) for record in records), Counter[str]())
    assert added == told["rejected"]
    assert f"{added['view A in place of B']} view A in place of B" in said
    assert told["balance"] == {"view": "uniform", "doors": {"3": 0.5, "5": 0.5}}


def test_rejections_are_the_same_on_two_processes(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = ("num_images=20", "maps_per_shard=5", "balance={view: uniform}")
    succeed(tmp_path, "generate", *cars(models, "one", *order))
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank in ("0", "1"):
        monkeypatch.setenv("RANK", rank)
        succeed(tmp_path, "generate", *cars(models, "two", *order))
    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_a_view_that_never_comes_about_is_named(models: Path, tmp_path: Path) -> None:
    few = ("attempts=3", "balance={doors: {3: 1}, view: {B: 1, C: 3}}", "num_images=8")
    line = mistake(tmp_path, "generate", *cars(models, "out", *few))
    assert re.search(r"shard 0 lacks \d maps \(\d x doors 3 and view C, ", line)
    assert "after 3 drawings of each" in line
    assert "x doors 5 in place of 3" in line
    assert not list((tmp_path / "out").glob("shard*"))
    succeed(tmp_path, "generate", *cars(models, "out", *few, "attempts=1000"))


def test_several_photos_of_a_map(models: Path, tmp_path: Path) -> None:
    looks = ("photos_per_map=4", f"photos_from={models / 'looks.ckpt'}", "num_images=18")
    succeed(tmp_path, "generate", *words(models, "out", *looks))
    made = pictures(tmp_path / "out")
    assert [one.info["map"] for one in made] == [number // 4 for number in range(18)]
    assert len({one.part_map.tobytes() for one in made}) == 5
    assert len({one.photo.tobytes() for one in made}) > 14  # looks are drawn, and some come again


def test_what_cannot_be_generated(models: Path, tmp_path: Path) -> None:
    def said(*more: str) -> str:
        return mistake(tmp_path, "generate", *words(models, "out", *more))

    maps, photos = models / "maps.ckpt", models / "photos.ckpt"
    assert f"maps_from={photos} draws no part maps" in said(f"maps_from={photos}")
    assert f"photos_from={maps} paints no part maps" in said(f"photos_from={maps}")
    assert "paints a map always alike" in said("photos_per_map=2")
    assert "photos_from=no.ckpt does not exist" in said("photos_from=no.ckpt")
    assert "was not written by carsynth.train" in said(f"maps_from={models / 'reference.pt'}")
    assert "reference is not set" in said("check=true")
    assert "balance=uniform: write balance={view" in said("balance=uniform")
    assert "balance.doors: 4 is unknown" in said("balance={doors: {3: 0.5, 4: 0.5}}")
    assert "num_images=1.5: give a whole number" in said("num_images=1.5")
    assert "maps_per_shard=0: give a whole number" in said("maps_per_shard=0")
    assert "output_dir is not set" in mistake(tmp_path, "generate", *words(models, "out")[:-1])
    (tmp_path / "file").touch()
    line = mistake(tmp_path, "generate", *words(models, "file"))
    assert "file/order.json cannot be written" in line
    assert {path.name for path in tmp_path.iterdir()} == {"home", "file"}
