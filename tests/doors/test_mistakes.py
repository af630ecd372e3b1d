"""A user's mistake: one clear line, exit code 2, nothing written over."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from carsynth.data.toycars import ToyCars
from tests.doors.commands import TINY, mistake, run

pytestmark = pytest.mark.slow
FOLDERS = ("data=paired_folders", "data.root=data")
PAIRED = tuple(word for word in TINY if "source.length" not in word) + FOLDERS


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "nothing to train: add +experiment=NAME, one of acgan_views, carbrand"),
        (("+expriment=pix2pixhd",), "add +experiment=NAME"),
        (("+experiment=pix2pixdh",), "did you mean pix2pixhd?"),
        ((*TINY, "data.sise=[32,32]"), "data.sise; did you mean data.size?"),
        ((*TINY, "+data.sise=[32,32]"), "data.sise; did you mean data.size?"),
        ((*TINY, "dta=car_parts"), "dta; did you mean data?"),
        ((*TINY, "data=carparts"), "did you mean car_parts?"),
        ((*TINY, "trainer.max_epoch=3"), "did you mean trainer.max_epochs?"),
        ((*TINY, "+trainer.max_epoks=3"), "trainer.max_epoks"),
        ((*TINY, "loss=hinge"), "arch=pix2pixhd does not go with loss=hinge"),
        (
            ("+experiment=carbrand", "loss=pix2pixhd"),
            "carbrand does not go with loss=",
        ),
        (("+experiment=carbrand", "arch.map_encoding=class"), "known: photo, rgb, classes"),
        (("+experiment=dcgan_selu", "loss=fastgan"), "loss.weights.redraw"),
        (("+experiment=dcgan_selu", "arch.latent=100"), "arch.latent=100 is not a list"),
        (("+experiment=carbrand", "data.size=[128,225]"), "the nearest that fit"),
        (("+experiment=carbrand", "arch.latent=[[0,20],[3,10]]"), "shrinks from 20 to 10"),
        (("+experiment=fewshot", "data=class_folders", "data.root=no"), "data folder no"),
        ((*TINY, "optim.lr=abc"), "optim.lr=abc is not a number"),
        ((*TINY, "arch.width=abc"), "arch.width=abc is not a number"),
        ((*TINY, "data.size=32"), "data.size=32 is not a list, as data.size=[128, 128] is"),
        ((*TINY, "compile=maybe"), "compile=maybe is not true or false"),
        ((*TINY, "data.size=[32,40]"), "multiples of 16"),
        ((*TINY, "data.batch_size=64"), "batch_size"),
        ((*TINY, "metric=fid"), "metric.weights_path=FILE"),
        ((*TINY, "loss=pix2pixhd_perceptual"), "loss.perceptual.weights_path=FILE"),
        ((*TINY[2:], TINY[0], "data=car_parts"), "data.root is not set"),
        ((*TINY[2:], TINY[0], "data=car_parts", "data.root=no"), "data folder no"),
        (PAIRED, "data folder data"),
        ((*TINY, "ckpt_path=no.ckpt"), "no.ckpt"),
        ((*TINY, "init_from=no.ckpt"), "no.ckpt"),
    ],
)
def test_mistakes_in_words(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    assert said in mistake(tmp_path, "train", *words, "hydra.run.dir=run")
    assert not (tmp_path / "run" / "checkpoints").exists()


def paired(folder: Path) -> tuple[Path, Path]:
    """Forty good pairs; the first one's photo and mask."""
    cars = ToyCars(40, 1)
    for name in ("photos", "masks"):
        (folder / "data" / name).mkdir(parents=True)
    for index in range(40):
        car = cars.draw(index, (32, 32))
        Image.fromarray(car.photo).save(folder / "data" / "photos" / f"{index:02d}.png")
        Image.fromarray(car.part_map).save(folder / "data" / "masks" / f"{index:02d}.png")
    return folder / "data" / "photos" / "00.png", folder / "data" / "masks" / "00.png"


def cut(photo: Path, mask: Path) -> None:
    photo.write_bytes(photo.read_bytes()[:200])


def empty(photo: Path, mask: Path) -> None:
    photo.write_bytes(b"")


def text(photo: Path, mask: Path) -> None:
    photo.write_text("no picture")


def no_mask(photo: Path, mask: Path) -> None:
    mask.unlink()


def no_photo(photo: Path, mask: Path) -> None:
    photo.unlink()


def other_size(photo: Path, mask: Path) -> None:
    Image.open(mask).resize((16, 16), Image.Resampling.NEAREST).save(mask)


def unknown_id(photo: Path, mask: Path) -> None:
    ids = np.array(Image.open(mask))
    ids[:2, :3] = 77
    Image.fromarray(ids).save(mask)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (cut, "00.png cannot be decoded"),
        (empty, "00.png is empty (0 bytes)"),
        (text, "00.png cannot be decoded"),
        (no_mask, "00.png has no mask"),
        (no_photo, "00.png has no photo"),
        (other_size, "bring them to the same size"),
        (unknown_id, "id 77 (6 pixels)"),
    ],
)
def test_a_bad_file_is_named(spoil: Any, said: str, tmp_path: Path) -> None:
    spoil(*paired(tmp_path))
    words = (*PAIRED, "data.mask_format=ids", "data.fractions=[0.9,0.1,0]", "hydra.run.dir=run")
    assert said in mistake(tmp_path, "train", *words)


def test_a_folder_that_holds_a_run_is_left_as_it_is(finished: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*") if path.is_file()}
    line = mistake(finished.parent, "train", *TINY, "hydra.run.dir=run")
    assert "already holds a run" in line
    assert "last.ckpt" in line
    assert before == {p: p.stat().st_mtime_ns for p in finished.rglob("*") if p.is_file()}


def test_checkpoints_that_cannot_be_trusted(finished: Path, tmp_path: Path) -> None:
    best = finished / "checkpoints" / "best.ckpt"
    other = [word for word in TINY if "width" not in word] + ["arch.width=8"]
    line = mistake(tmp_path, "train", *other, f"ckpt_path={best}", "hydra.run.dir=run")
    assert "arch.width=4, not 8" in line

    torn = tmp_path / "torn.ckpt"
    torn.write_bytes(best.read_bytes()[:-2000])
    words = ("maps=toycars", "output_dir=out")
    assert "torn.ckpt is truncated" in mistake(tmp_path, "sample", "ckpt_path=torn.ckpt", *words)

    class Touch:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "executed",))

    torch.save({"state_dict": {}, "carsynth": Touch()}, tmp_path / "code.ckpt")
    line = mistake(tmp_path, "sample", "ckpt_path=code.ckpt", *words)
    assert "code.ckpt carries pickled code" in line
    assert not (tmp_path / "executed").exists()

    torch.save({"weights": torch.zeros(1)}, tmp_path / "foreign.ckpt")
    line = mistake(tmp_path, "evaluate", "ckpt_path=foreign.ckpt")
    assert "foreign.ckpt was not written by carsynth.train" in line
    assert not (tmp_path / "out").exists()


def test_sampling_and_evaluating_refuse_what_cannot_be_meant(
    finished: Path, tmp_path: Path
) -> None:
    best = f"ckpt_path={finished / 'checkpoints' / 'best.ckpt'}"
    used = tmp_path / "used"
    used.mkdir()
    (used / "mine.txt").write_text("mine")
    line = mistake(tmp_path, "sample", best, "maps=toycars", "output_dir=used")
    assert "not empty" in line
    assert [path.name for path in used.iterdir()] == ["mine.txt"]
    assert "give maps=DIR" in mistake(tmp_path, "sample", best, "output_dir=out")
    words = (best, "maps=toycars", "output_dir=out")
    assert "label" in mistake(tmp_path, "sample", *words, "label=suv")
    assert "multiples of 16" in mistake(tmp_path, "sample", *words, "size=[30,30]")
    assert "say what to evaluate" in mistake(tmp_path, "evaluate")
    assert "used" in mistake(tmp_path, "evaluate", "real=used", "fake=used")
    assert "split=all" in mistake(tmp_path, "evaluate", best, "split=all")


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    done = run(tmp_path, "train", *TINY, "data.size=[32,40]", "debug=true")
    assert done.returncode != 0
    assert "Traceback" in done.stderr
    assert "multiples of 16" in done.stderr
