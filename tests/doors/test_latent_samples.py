"""Pictures by class, in every form, from one small checkpoint."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

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
