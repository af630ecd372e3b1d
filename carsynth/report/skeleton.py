"""The page around its sections."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from carsynth.report.markup import Html, element, paragraph

_STYLE = Path(__file__).with_name("page.css")
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""A browser that reads it fetches nothing, whatever the page may hold."""
_NOTICE = (
    "All pictures called generated here, and all pictures of the exported data sets, are "
    "synthetic: made by a generator, not photographed."
)


class Section(NamedTuple):
    """A part of the page."""

    anchor: str
    title: str
    body: Html


def document(name: str, facts: Html, sections: Sequence[Section]) -> str:
    """The whole file.

    Args:
        facts: what stands below the title.
    """
    title = f"{name}: labelled car pictures from two stages"
    contents = [
        element("li", element("a", section.title, href=f"#{section.anchor}"))
        for section in sections
    ]
    top = element("header", element("h1", title), paragraph(_NOTICE, class_="notice"), facts)
    body = [
        element("section", element("h2", section.title), section.body, id=section.anchor)
        for section in sections
    ]
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("title", title),
        element("style", Html(_STYLE.read_text(encoding="utf-8"))),
    )
    page = element(
        "body",
        top,
        element("nav", element("ul", *contents), aria_label="Contents"),
        element("main", *body),
        element("footer", paragraph(_NOTICE)),
    )
    return f"<!doctype html>\n{element('html', head, page, lang='en')}\n"
