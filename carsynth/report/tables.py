"""Tables that scroll in a box of their own where the page is narrower."""

from collections.abc import Sequence

from carsynth.report.markup import Html, element


class Figures(str):
    """Title of a column of figures, which are set flush right."""

    __slots__ = ()


def table(caption: str, titles: Sequence[str], rows: Sequence[Sequence[str]]) -> Html:
    """Rows under titles; the first cell of each row names it."""
    sides = ["figure" if isinstance(title, Figures) else None for title in titles]
    head = element(
        "tr",
        *(
            element("th", title, scope="col", class_=side)
            for title, side in zip(titles, sides, strict=True)
        ),
    )
    body = [
        element(
            "tr",
            element("th", row[0], scope="row"),
            *(
                element("td", cell, class_=side)
                for cell, side in zip(row[1:], sides[1:], strict=True)
            ),
        )
        for row in rows
    ]
    grid = element("table", element("thead", head), element("tbody", *body))
    box = element("div", grid, class_="scroll", role="region", tabindex=0, aria_label=caption)
    # a <caption> would be as narrow as its table
    return element("figure", element("figcaption", caption), box, class_="table")


def two_lines(first: str, second: str) -> Html:
    """A cell with a remark below."""
    remark = element("small", second) if second else Html()
    return element("span", first, remark, class_="lines")
