"""A picture of findings: thumbnails with captions under a line for each kind."""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from carsynth.data.photos import read_photo
from carsynth.errors import UserError
from carsynth.preparation.findings import Finding, Kind

_THUMB = (192, 128)  # width, height
_LINE = 15  # pixels of height
_GAP = 6
_MARGIN = 12
_COLUMNS = 8  # thumbnails; a pair takes two
_HEADING = 30
_MOST = 24  # findings of one kind
_GROUND = (235, 235, 235)
_INK = (30, 30, 30)
_FAINT = (110, 110, 110)
_FONT = ImageFont.load_default(12)
_LARGE = ImageFont.load_default(18)


def draw_sheet(root: Path, findings: list[Finding]) -> Image.Image:
    """A sheet of up to 24 findings of each kind, the weightiest first; pairs side by side.

    Args:
        root: folder that the findings' files lie in.
    """
    sections = []
    for kind in Kind:
        ours = [finding for finding in findings if finding.kind is kind]
        if ours:
            shown = sorted(ours, key=lambda finding: (-finding.weight, finding.file))[:_MOST]
            sections.append(_section(root, _title(kind, len(ours), len(shown)), shown))
    if not sections:
        sections = [_heading("no findings")]
    height = sum(section.height for section in sections) + 2 * _MARGIN
    sheet = Image.new("RGB", (sections[0].width + 2 * _MARGIN, height), "white")
    top = _MARGIN
    for section in sections:
        sheet.paste(section, (_MARGIN, top))
        top += section.height
    return sheet


def _title(kind: Kind, count: int, shown: int) -> str:
    files = "file" if count == 1 else "files"
    return f"{kind.value}: {count} {files}" + (f", {shown} shown" if shown < count else "")


def _section(root: Path, title: str, findings: list[Finding]) -> Image.Image:
    tiles = [_tile(root, finding) for finding in findings]
    width, height = tiles[0].size
    columns = (_COLUMNS * (_THUMB[0] + _GAP)) // (width + _GAP)
    rows = -(-len(tiles) // columns)
    heading = _heading(title)
    section = Image.new("RGB", (heading.width, _HEADING + rows * (height + 2 * _GAP)), "white")
    section.paste(heading, (0, 0))
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        section.paste(tile, (column * (width + _GAP), _HEADING + row * (height + 2 * _GAP)))
    return section


def _heading(title: str) -> Image.Image:
    heading = Image.new("RGB", (_COLUMNS * (_THUMB[0] + _GAP) - _GAP, _HEADING), "white")
    draw = ImageDraw.Draw(heading)
    draw.text((0, 3), title, _INK, _LARGE)
    draw.line([(0, _HEADING - 4), (heading.width, _HEADING - 4)], _FAINT)
    return heading


def _tile(root: Path, finding: Finding) -> Image.Image:
    """One or two thumbnails over the names of their files and what there is to say of them."""
    captions = [(finding.file, finding.note)]
    if finding.like:
        captions.append((finding.like, finding.like_note))
    tile = Image.new(
        "RGB", (len(captions) * (_THUMB[0] + 2) - 2, _THUMB[1] + 2 * _LINE + 2), "white"
    )
    draw = ImageDraw.Draw(tile)
    for number, (file, note) in enumerate(captions):
        left = number * (_THUMB[0] + 2)
        tile.paste(_thumbnail(root / file), (left, 0))
        draw.text((left, _THUMB[1] + 1), _end_of(file), _INK, _FONT)
        draw.text((left, _THUMB[1] + _LINE + 1), _start_of(note), _FAINT, _FONT)
    return tile


def _thumbnail(path: Path) -> Image.Image:
    """The whole photo within a cell."""
    cell = Image.new("RGB", _THUMB, _GROUND)
    try:
        photo = Image.fromarray(read_photo(path))
    except UserError:
        ImageDraw.Draw(cell).text((_THUMB[0] // 2, _THUMB[1] // 2), "?", _FAINT, _LARGE, "mm")
        return cell
    scale = min(_THUMB[0] / photo.width, _THUMB[1] / photo.height)
    size = (max(round(photo.width * scale), 1), max(round(photo.height * scale), 1))
    small = photo.resize(size, Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.NEAREST)
    cell.paste(small, ((_THUMB[0] - size[0]) // 2, (_THUMB[1] - size[1]) // 2))
    return cell


def _end_of(text: str) -> str:
    """A path cut at its start to fit a thumbnail."""
    shown = text
    while not _fits(shown):
        text = text[1:]
        shown = f"...{text}"
    return shown


def _start_of(text: str) -> str:
    shown = text
    while not _fits(shown):
        text = text[:-1]
        shown = f"{text}..."
    return shown


def _fits(text: str) -> bool:
    return _FONT.getlength(text) <= _THUMB[0] - 2
