"""What a page consists of, by Python's own parser, which closes nothing on its own."""

from html.parser import HTMLParser
from pathlib import Path

_VOID = frozenset({"img", "meta", "wbr"})


class Outline(HTMLParser):
    """Elements, attributes and text of a page; refuses one whose tags do not pair."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(page.read_text(encoding="utf-8"))
        self.close()
        assert self._open == []

    @property
    def text(self) -> str:
        """Without the style sheet; words are one space apart."""
        return " ".join(" ".join(self.texts).split())

    def all(self, tag: str, class_: str | None = None) -> list[dict[str, str]]:
        """Attributes of the elements of a kind."""
        found = [attributes for name, attributes in self.elements if name == tag]
        return [a for a in found if class_ is None or class_ in a.get("class", "").split()]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), (tag, attrs)
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, (tag, self.getpos())

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.texts.append(data)


def left_out(page: Path) -> list[str]:
    """The lines that say what is missing."""
    lines = page.read_text(encoding="utf-8").split('<p class="lacking">')[1:]
    return [line.partition("</p>")[0] for line in lines]
