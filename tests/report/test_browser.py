"""The page in a real browser."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.report.browser import Browser, browser, chromium

pytestmark = pytest.mark.skipif(
    chromium() is None, reason="no chromium with its chromedriver is installed"
)

WIDE, PHONE = (1280, 900), (390, 844)


@pytest.fixture(scope="module", params=["wide", "phone"])
def window(
    request: pytest.FixtureRequest, page: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Browser]:
    phone = request.param == "phone"
    size = PHONE if phone else WIDE
    with browser(tmp_path_factory.mktemp("profile"), *size, phone=phone) as opened:
        opened.open(page)
        assert opened.ask("return innerWidth") == size[0]
        yield opened


def test_the_page_is_as_wide_as_the_window(window: Browser) -> None:
    inside, outside = window.ask("return [document.documentElement.scrollWidth, innerWidth]")
    assert inside <= outside
    reaching = window.ask(
        "return [...document.querySelectorAll('body *')].filter(e => !e.closest('.scroll, pre')"
        " && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))"
    )
    assert reaching == []


def test_all_pictures_load_and_nobody_complains(window: Browser) -> None:
    widths = window.ask("return [...document.images].map(i => i.naturalWidth)")
    assert len(widths) > 20
    assert min(widths) > 0
    assert window.messages() == []


def test_the_letters_of_plots_can_be_read(window: Browser) -> None:
    """Half of the pixels that they were drawn with."""
    shown = window.ask(
        "return [...document.querySelectorAll('.scroll > img')].map(i => i.width / i.naturalWidth)"
    )
    assert min(shown) >= 0.45


def test_dark_and_light(window: Browser) -> None:
    def colours(scheme: str) -> Any:
        media = [{"name": "prefers-color-scheme", "value": scheme}]
        window.protocol("Emulation.setEmulatedMedia", features=media)
        return window.ask(
            "const s = getComputedStyle(document.body); return [s.backgroundColor, s.color]"
        )

    (light, ink), (dark, chalk) = colours("light"), colours("dark")
    assert sum(rgb(light)) > 600 > 300 > sum(rgb(ink))
    assert sum(rgb(dark)) < 150 < 600 < sum(rgb(chalk))


def test_it_prints_with_its_folded_parts(window: Browser) -> None:
    def seen() -> Any:
        return window.ask(
            "return [...document.querySelectorAll('details > pre')].map(e => e.checkVisibility())"
        )

    assert set(seen()) == {False}
    window.protocol("Emulation.setEmulatedMedia", media="print")
    assert set(seen()) == {True}
    window.protocol("Emulation.setEmulatedMedia", media="")
    assert window.printed().startswith(b"%PDF")


def rgb(colour: str) -> list[int]:
    return [int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
