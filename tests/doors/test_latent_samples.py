"""Pictures by class, in every form, from one small checkpoint; and part maps from another."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from carsynth.generation.shards import read_shard
from carsynth.labels import PALETTE
from tests.doors.commands import TINY, mistake, succeed

pytestmark = pytest.mark.slow
WORDS = ("+experiment=carbrand", "data.size=[32,56]", "data.source.length=40", "arch.width=4")


@pytest.fixture(scope="module")
def makes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``run``, a carbrand GAN that has seen drawn cars for a moment."""
    folder = tmp_path_factory.mktemp("makes")
    words = (*WORDS, *TINY[3:4], *TINY[6:])
    succeed(folder, "train", *words, "hydra.run.dir=run")
    return folder


def draw(makes: Path, out: Path, *words: str) -> list[Path]:
    best = f"ckpt_path={makes / 'run' / 'checkpoints' / 'best.ckpt'}"
    succeed(makes, "sample", best, f"output_dir={out}", *words)
    return sorted(path for path in out.iterdir())


def test_pictures_of_one_class_of_any_and_of_all(makes: Path, tmp_path: Path) -> None:
    one = draw(makes, tmp_path / "one", "label=brenna", "num_images=5")
    assert [path.name for path in one] == [
        *(f"{i:06d}_brenna.png" for i in range(5)),
        "sheet.png",
    ]
    assert Image.open(one[0]).size == (56, 32)
    any_class = draw(makes, tmp_path / "any", "label=random", "num_images=12")
    assert len({path.stem.split("_")[1] for path in any_class[:-1]}) > 2
    everyone = draw(makes, tmp_path / "all", "num_images=9")
    assert [path.stem.split("_")[1] for path in everyone[:2]] == ["alvar", "brenna"]


def test_the_seed_tells_the_pictures_whatever_the_batch(makes: Path, tmp_path: Path) -> None:
    words = ("label=dravik", "num_images=4")
    first = draw(makes, tmp_path / "first", *words, "seed=1", "batch_size=4")
    again = draw(makes, tmp_path / "again", *words, "seed=1", "batch_size=3")
    other = draw(makes, tmp_path / "other", *words, "seed=2")
    for ours, same, different in zip(first[:-1], again[:-1], other[:-1], strict=True):
        pixels = np.asarray(Image.open(ours)).astype(int)
        assert np.abs(pixels - np.asarray(Image.open(same))).max() <= 1
        assert np.abs(pixels - np.asarray(Image.open(different))).max() > 1


def test_truncation_brings_pictures_nearer_to_each_other(makes: Path, tmp_path: Path) -> None:
    def spread(name: str, *words: str) -> float:
        paths = draw(makes, tmp_path / name, "label=alvar", "num_images=16", *words)[:-1]
        pictures = np.stack([np.asarray(Image.open(path)) for path in paths]).astype(float)
        return float(pictures.std(0).mean())

    assert spread("near", "truncation=0.1") < 0.7 * spread("far")


def test_a_grid_and_a_walk(makes: Path, tmp_path: Path) -> None:
    (grid,) = draw(makes, tmp_path / "grid", "form=grid", "num_images=70", "label=alvar")
    assert Image.open(grid).size == (8 * 172 - 4, 9 * 100 - 4)
    (walk,) = draw(makes, tmp_path / "walk", "form=gif", "num_images=3", "label=alvar")
    film = Image.open(walk)
    assert (walk.name, film.size, film.n_frames) == ("walk.gif", (56, 32), 36)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("label=brena",), "did you mean brenna?"),
        (("label=nobody",), "which knows alvar, brenna, cordova"),
        (("maps=toycars",), "maps: this model draws from latents"),
        (("truncation=0",), "truncation=0"),
        (("form=film",), "folder, grid, gif"),
        (("size=[64,64]",), "this model draws 32x56"),
    ],
)
def test_what_cannot_be_drawn(
    words: tuple[str, ...], said: str, makes: Path, tmp_path: Path
) -> None:
    best = f"ckpt_path={makes / 'run' / 'checkpoints' / 'best.ckpt'}"
    assert said in mistake(makes, "sample", best, f"output_dir={tmp_path / 'out'}", *words)
    assert not (tmp_path / "out").exists()


def test_a_painter_has_no_classes_and_no_walk(finished: Path, tmp_path: Path) -> None:
    best = f"ckpt_path={finished / 'checkpoints' / 'best.ckpt'}"
    for words in (("label=alvar",), ("truncation=0.5",), ("form=gif",)):
        said = mistake(tmp_path, "sample", best, "maps=toycars", "output_dir=out", *words)
        assert words[0].partition("=")[0] in said


# Part maps by codes ---------------------------------------------------------------------------

CODER = ("+experiment=map_vae", "data.source.length=40", "data.size=[32,32]", "arch.width=8")
CODER = (*CODER, "data.batch_size=8", "optim.lr=5e-3", "trainer=cpu", "metric=random_inception")
CODER = (*CODER, "trainer.check_val_every_n_epoch=25")


@pytest.fixture(scope="module")
def coder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``run``, an autoencoder of part maps that has seen few drawn cars."""
    folder = tmp_path_factory.mktemp("coder")
    succeed(folder, "train", *CODER, "trainer.max_epochs=25", "hydra.run.dir=run")
    return folder


def test_maps_that_a_run_has_learnt_are_drawn(coder: Path, tmp_path: Path) -> None:
    assert (coder / "run" / "samples" / "epoch_0024.png").is_file()
    maps = draw(coder, tmp_path / "maps", "num_images=12", "seed=1")
    assert [path.name for path in maps] == [*(f"{i:06d}.png" for i in range(12)), "sheet.png"]
    pictures = [np.asarray(Image.open(path).convert("RGB")) for path in maps[:-1]]
    palette = {tuple(colour) for colour in PALETTE.tolist()}
    assert {tuple(pixel) for one in pictures for pixel in one.reshape(-1, 3).tolist()} <= palette
    assert {one.shape for one in pictures} == {(32, 32, 3)}
    assert len({one.tobytes() for one in pictures}) > 6
    again = draw(coder, tmp_path / "again", "num_images=12", "seed=1", "batch_size=5")
    assert [path.read_bytes() for path in again[:-1]] == [path.read_bytes() for path in maps[:-1]]
    (walk,) = draw(coder, tmp_path / "walk", "form=gif", "num_images=2")
    assert Image.open(walk).size == (32, 32)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("truncation=0.7",), "truncation=0.7: this model draws between the codes"),
        (("label=alvar",), "label=alvar: this model draws without classes"),
        (("maps=toycars",), "maps: this model draws from latents"),
        (("size=[64,64]",), "this model draws 32x32"),
    ],
)
def test_what_codes_cannot_draw(
    words: tuple[str, ...], said: str, coder: Path, tmp_path: Path
) -> None:
    best = f"ckpt_path={coder / 'run' / 'checkpoints' / 'best.ckpt'}"
    assert said in mistake(coder, "sample", best, f"output_dir={tmp_path / 'out'}", *words)


def test_maps_by_codes_are_evaluated(coder: Path, tmp_path: Path) -> None:
    words = ("split=validation", "metric=random_inception", "num_images=8", "memorisation=false")
    words = (*words, "metric/figures=none", f"ckpt_path={coder / 'run'}")
    succeed(tmp_path, "evaluate", *words, "output_dir=out")
    (only,) = json.loads((tmp_path / "out" / "metrics.json").read_text())["evaluated"]
    assert (only["num_real"], only["num_fake"]) == (4, 8)


def test_a_labelled_set_is_made_of_maps_by_codes(
    coder: Path, finished: Path, tmp_path: Path
) -> None:
    models = [
        f"maps_from={coder / 'run' / 'checkpoints' / 'best.ckpt'}",
        f"photos_from={finished / 'checkpoints' / 'best.ckpt'}",
    ]
    words = ("num_images=6", "maps_per_shard=3", "check=false", "output_dir=out")
    succeed(tmp_path, "generate", *models, *words)
    made = [one for path in sorted(tmp_path.glob("out/*.tar")) for one in read_shard(path)]
    assert [one.part_map.shape for one in made] == [(32, 32)] * 6
    assert len({one.part_map.tobytes() for one in made}) > 3


def test_a_run_starts_from_the_weights_of_another_with_codes_of_its_own(
    coder: Path, tmp_path: Path
) -> None:
    last = coder / "run" / "checkpoints" / "last.ckpt"
    said = succeed(tmp_path, "train", *CODER, "trainer.max_epochs=1", f"init_from={last}")
    assert "2 of another shape left as drawn: codes.codes, codes.nearest" in said
    line = mistake(tmp_path, "train", *CODER, "loss=hinge")
    assert "this model learns by reconstruction and divergence: set loss=evidence" in line
