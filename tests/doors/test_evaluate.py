import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter

from carsynth.data.toycars import ToyCars
from tests.doors.commands import mistake, succeed

RANDOM = "metric=random_inception"


def read(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    return found


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real cars and others, blurred ones, and a set of which half are copies of the real ones."""
    root = tmp_path_factory.mktemp("folders")
    cars = ToyCars(64, 3)
    for name in ("real", "other", "soft", "softer", "copies"):
        for make in ("audi", "volvo"):
            (root / name / make).mkdir(parents=True)
    for index in range(64):
        photo = Image.fromarray(cars.draw(index, (48, 64)).photo)
        place = f"{('audi', 'volvo')[index // 2 % 2]}/{index:02d}.png"
        photo.save(root / ("other" if index % 2 else "real") / place)
        if index % 2:
            for name, blur in (("soft", 1.0), ("softer", 3.0)):
                photo.filter(ImageFilter.GaussianBlur(blur)).save(root / name / place)
        if index % 4 == 1:
            photo.save(root / "copies" / place)
        elif index % 4 == 2:
            turned = photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            turned.save(root / "copies" / place.replace(".png", ".jpg"), quality=75)
    return root


@pytest.mark.slow
def test_several_folders_stand_side_by_side(folders: Path, tmp_path: Path) -> None:
    fakes = ",".join(str(folders / name) for name in ("other", "soft", "softer", "copies"))
    said = succeed(
        tmp_path, "evaluate", f"real={folders / 'real'}", f"fake=[{fakes}]", RANDOM,
        "output_dir=out",
    )  # fmt: skip
    result = read(tmp_path / "out")
    assert result["extractor"]["name"] == "random_inception"
    assert "299x299" in result["extractor"]["resize"]
    assert len(result["extractor"]["fingerprint"]) == 64
    other, soft, softer, copies = result["evaluated"]
    scores = [one["figures"]["frechet_random_inception"] for one in (other, soft, softer)]
    assert scores[0]["value"] < scores[1]["value"] < scores[2]["value"]
    assert scores[0]["ratio"] < 2 < scores[2]["ratio"]
    assert scores[0]["floor"]["n_per_half"] == 16
    assert (other["num_real"], other["num_fake"]) == (32, 32)
    kid = other["figures"]["kernel_random_inception"]
    assert abs(kid["value"]) < 4 * kid["spread"]
    assert other["figures"]["inception_score_random_inception"]["why"]
    group = other["groups"]["class audi"]
    assert (group["num_real"], group["num_fake"]) == (16, 16)
    assert group["figures"]["frechet_random_inception"]["floor"]["n_per_half"] == 8
    assert other["memorisation"]["suspicious"] <= 0.05
    assert copies["memorisation"]["suspicious"] == pytest.approx(0.5, abs=0.05)
    assert "copies: 16 generated pictures look like copies" in said
    assert "about 100 would do" in said, "32 are few for a share"
    for line in ("other", "softer", "by group", "class volvo"):
        assert line in said
    for name in ("metrics.png", "copies_1.png", "copies_4.png"):
        assert Image.open(tmp_path / "out" / name).width > 300


def test_one_set_against_itself_is_said_to_be_so(folders: Path, tmp_path: Path) -> None:
    real = folders / "real"
    words = (f"real={real}", f"fake={real}", RANDOM, "metric/figures=none", "memorisation=false")
    said = succeed(tmp_path, "evaluate", *words, "output_dir=out")
    assert "real and generated are the same pictures" in said
    (only,) = read(tmp_path / "out")["evaluated"]
    assert only["figures"]["frechet_random_inception"]["value"] == 0.0
    assert only["memorisation"] is None
    assert not list((tmp_path / "out").glob("copies*"))


def test_pairs_by_name(folders: Path, tmp_path: Path) -> None:
    words = (f"real={folders / 'other'}", f"fake={folders / 'soft'}", "paired=true", RANDOM)
    said = succeed(
        tmp_path, "evaluate", *words, "metric/figures=none", "memorisation=false", "output_dir=out"
    )
    (only,) = read(tmp_path / "out")["evaluated"]
    assert 15 < only["figures"]["psnr"]["value"] < 50
    assert 0.3 < only["figures"]["ssim"]["value"] < 1.0
    assert only["figures"]["lpips"]["value"] is None
    assert "alexnet-owt-7be5be79.pth" in only["figures"]["lpips"]["why"]
    assert "lpips is not measured" in said
    words = (f"real={folders / 'real'}", f"fake={folders / 'soft'}", "paired=true", RANDOM)
    line = mistake(tmp_path, "evaluate", *words, "output_dir=out2")
    assert "no counterpart" in line


def test_training_photos_of_their_own_show_copies(folders: Path, tmp_path: Path) -> None:
    words = (f"real={folders / 'other'}", f"train={folders / 'real'}", RANDOM)
    succeed(
        tmp_path, "evaluate", *words, f"fake={folders / 'copies'}", "metric/figures=none",
        "output_dir=out",
    )  # fmt: skip
    (only,) = read(tmp_path / "out")["evaluated"]
    assert only["num_train"] == 32
    assert only["memorisation"]["real_are"] == "held out"
    assert only["memorisation"]["suspicious"] == pytest.approx(0.5, abs=0.05)
    floor = only["figures"]["frechet_random_inception"]["floor_at_size"]
    assert floor["n_per_half"] == 32


def test_a_folder_against_a_data_set(folders: Path, tmp_path: Path) -> None:
    words = ("data=toycars", "data.source.length=40", "data.size=[48,64]", RANDOM)
    succeed(
        tmp_path, "evaluate", *words, f"fake={folders / 'soft'}", "split=validation",
        "metric/figures=none", "output_dir=out",
    )  # fmt: skip
    result = read(tmp_path / "out")
    assert result["real"] == "validation split"
    (only,) = result["evaluated"]
    assert (only["num_real"], only["num_train"]) == (4, 32)


def test_a_cache_that_cannot_be_written_stops_nothing(folders: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    words = (f"real={folders / 'real'}", f"fake={folders / 'soft'}", RANDOM, "memorisation=false")
    words += ("metric/figures=none", f"metric.cache_dir={tmp_path / 'file' / 'cache'}")
    succeed(tmp_path, "evaluate", *words, "output_dir=out")
    assert read(tmp_path / "out")["evaluated"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), "say what to evaluate"),
        (("real=a",), "say what to evaluate"),
        (("fake=a",), "compared with nothing"),
        (("ckpt_path=a", "real=b"), "say what to evaluate"),
        (("real=nowhere", "fake=nowhere"), "nowhere does not exist"),
        (("real=few", "fake=few"), "real=few holds one picture"),
        (("ckpt_path=few",), "few holds no checkpoints/best.ckpt"),
        (("real=a", "fake=[b,c]", "paired=true"), "paired=true compares"),
        (("real=a", "fake=b", "split=valid"), "split=valid is unknown"),
        (("ckpt_path=a", "num_images=1"), "num_images=1"),
        (("real=a", "fake=b", "metric=fid", "metric.weights_path=few/one.png"), "SHA-256"),
        (("real=a", "fake=b", "metric=backbone", "metric.model=resnet51"), "resnet50"),
    ],
)
def test_mistakes_get_one_line(tmp_path: Path, words: tuple[str, ...], expected: str) -> None:
    (tmp_path / "few").mkdir()
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(tmp_path / "few" / "one.png")
    choice = () if any(word.startswith("metric=") for word in words) else (RANDOM,)
    assert expected in mistake(tmp_path, "evaluate", *words, *choice, "output_dir=out")
    assert not (tmp_path / "out" / "metrics.json").exists()
