"""HTML put together from elements, so that every tag is closed and every text escaped."""

import html
from collections.abc import Iterable

_VOID = frozenset({"img", "meta", "wbr"})
_BLOCKS = frozenset(
    {"section", "table", "tr", "li", "p", "figure", "h2", "h3", "div", "pre", "nav"}
)


class Html(str):
    """Markup that is whole already; any other text is escaped where it becomes content."""

    __slots__ = ()

    def __add__(self, other: str) -> "Html":
        return joined((self, other))


def element(tag: str, /, *content: str, **attributes: str | int | None) -> Html:
    """``<tag attributes>content</tag>``.

    An underscore at the end of an attribute's name is dropped, those inside become hyphens;
    attributes that are None are left out.
    """
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    end = "\n" if tag in _BLOCKS else ""
    if tag in _VOID:
        return Html(f"<{tag}{told}>{end}")
    return Html(f"<{tag}{told}>{joined(content)}</{tag}>{end}")


def joined(parts: Iterable[str]) -> Html:
    """One behind the other."""
    return Html("".join(part if isinstance(part, Html) else html.escape(part) for part in parts))


def paragraph(*content: str, class_: str | None = None) -> Html:
    return element("p", *content, class_=class_)


def breakable(name: str) -> Html:
    """A name that may go over two lines behind an underscore."""
    first, *others = name.split("_")
    return joined([first, *(joined(["_", element("wbr"), part]) for part in others)])


def bullets(items: Iterable[str]) -> Html:
    """A list; nothing where there are no items."""
    lines = [element("li", item) for item in items]
    return element("ul", *lines) if lines else Html()


def facts(pairs: Iterable[tuple[str, str]]) -> Html:
    """A list of terms, each with what is said of it."""
    rows = (
        element("div", element("dt", term), element("dd", *([said] if said else ["not told"])))
        for term, said in pairs
    )
    return element("dl", *rows)
