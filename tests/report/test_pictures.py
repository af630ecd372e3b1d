import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from carsynth.report.pictures import Pictures
from carsynth.report.reading import Lacking


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    (tmp_path / "page").mkdir()
    return Pictures(tmp_path, tmp_path / "page")


def inside(figure: str) -> tuple[str, bytes]:
    found = re.search(r'src="data:(image/\w+);base64,([^"]+)"', figure)
    assert found is not None
    return found[1], base64.b64decode(found[2])


def noise(height: int, width: int) -> Image.Image:
    drawn = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(drawn)


def test_a_heavy_picture_lies_whole_beside_the_page_and_small_inside(
    tmp_path: Path, pictures: Pictures
) -> None:
    noise(900, 2000).save(tmp_path / "large.png")
    figure = pictures.photo("large.png", "mine", "noise", "All of it.")
    assert (tmp_path / "page/mine.png").read_bytes() == (tmp_path / "large.png").read_bytes()
    kind, content = inside(figure)
    assert kind == "image/jpeg"
    assert len(content) <= 160_000
    width, height = Image.open(io.BytesIO(content)).size
    assert width / height == pytest.approx(2000 / 900, rel=0.02)
    assert f'width="{width}" height="{height}"' in figure


def test_a_small_picture_stays_as_it_is_and_is_magnified(
    tmp_path: Path, pictures: Pictures
) -> None:
    figure = pictures.photo(noise(32, 48), "small", 'a "car"', "One.")
    kind, content = inside(figure)
    assert kind == "image/png"
    assert Image.open(io.BytesIO(content)).tobytes() == noise(32, 48).tobytes()
    assert Image.open(tmp_path / "page/small.png").tobytes() == noise(32, 48).tobytes()
    assert 'alt="a &quot;car&quot;" width="192" height="128" class="sharp"' in figure


def test_a_plot_keeps_a_width_at_which_it_is_read(tmp_path: Path, pictures: Pictures) -> None:
    Image.new("RGB", (1320, 500), "white").save(tmp_path / "plot.png")
    figure = pictures.plot("plot.png", "plot", "a plot", "Curves.")
    assert figure.startswith('<figure><div class="scroll">')
    assert 'style="min-width:660px"' in figure


@pytest.mark.parametrize("content", [None, b"", b"no picture", b"\x89PNG\r\n\x1a\n torn"])
def test_what_is_no_picture_is_named(
    tmp_path: Path, pictures: Pictures, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "torn.png").write_bytes(content)
    with pytest.raises(Lacking, match=r"torn\.png is (not there|no readable picture)"):
        pictures.photo("torn.png", "torn", "", "")
    assert list((tmp_path / "page").iterdir()) == []
