"""``task=clean``: a report of photos that should not be trained on; nothing is deleted."""

import csv
import io
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from carsynth.data.files import list_pictures, replace_atomically, write_atomically
from carsynth.data.new_folder import check_new
from carsynth.errors import UserError
from carsynth.preparation.contact_sheet import draw_sheet
from carsynth.preparation.findings import (
    Finding,
    Kind,
    broken,
    duplicates,
    near_duplicates,
    odd_sizes,
    outliers,
)
from carsynth.preparation.near import BITS
from carsynth.preparation.outliers import FEWEST
from carsynth.preparation.survey import Survey, survey

REPORT = "report.csv"
SHEET = "report.png"


class Clean:
    """Lists photos that cannot be decoded, repeat others, are misshapen, small or unlike the rest.

    Of photos that are alike all but one are listed: the largest is kept. ``report.csv`` has a line
    for each finding, with the file's path below ``root``; ``report.png`` shows some of each kind.
    ``root`` is only read.

    Args:
        root: folder of photos, with or without subfolders.
        output_dir: a new or empty folder outside ``root``.
        extractor: makes the features, uint8 (B, 3, H, W) to (B, D), that outliers are told by.
        device: where the extractor runs.
        min_side: pixels of the shorter side.
        min_aspect: smallest width over height.
        max_aspect: largest width over height.
        near_bits: of the 128 bits of a photo's looks, as many may differ in near duplicates.
        outliers: whether to look for them, which takes most of the time.
        batch_size: photos in memory at a time.

    Raises:
        UserError: a number is out of range.
    """

    def __init__(
        self,
        root: str | Path,
        output_dir: str | Path,
        extractor: Callable[[], nn.Module],
        device: torch.device,
        min_side: int = 64,
        min_aspect: float = 1.0,
        max_aspect: float = 3.0,
        near_bits: int = 12,
        outliers: bool = True,
        batch_size: int = 32,
    ) -> None:
        if not 0 < min_aspect < max_aspect:
            raise UserError(
                f"min_aspect={min_aspect} max_aspect={max_aspect}: give two numbers over 0, the "
                "smaller first"
            )
        if not 0 <= near_bits < BITS // 4:
            raise UserError(f"near_bits={near_bits}: give 0 to {BITS // 4 - 1}")
        if batch_size < 1:
            raise UserError(f"batch_size={batch_size}: give 1 or more")
        self._root = Path(str(root))
        self._folder = Path(str(output_dir))
        self._extractor = extractor
        self._device = device
        self._min_side = min_side
        self._aspects = (min_aspect, max_aspect)
        self._near_bits = near_bits
        self._outliers = outliers
        self._batch_size = batch_size

    def run(self) -> None:
        """Look at every photo, behind progress bars; write the report and print the counts.

        Raises:
            UserError: ``root`` is missing or holds no photo, or ``output_dir`` cannot be used.
        """
        self._check_folder()
        paths = [path for paths in list_pictures(self._root).values() for path in paths]
        extractor = self._extractor().to(self._device) if self._outliers else None
        found = survey(self._root, paths, extractor, self._batch_size)
        findings = self._findings(found)
        try:
            write_atomically(self._folder / REPORT, _as_csv(findings))
            sheet = draw_sheet(self._root, findings)
            replace_atomically(self._folder / SHEET, lambda file: sheet.save(file, "png"))
        except OSError as error:
            raise UserError(f"output_dir={self._folder} cannot be written to: {error}") from error
        looked = self._outliers and len(found.photos) >= FEWEST
        print(_table(findings, looked))
        if self._outliers and not looked:
            print(f"outliers are not looked for among fewer than {FEWEST} photos")
        listed = len({finding.file for finding in findings})
        print(
            f"{listed} of {len(paths)} photos are listed in {self._folder / REPORT} and shown in "
            f"{self._folder / SHEET}; nothing was deleted"
        )

    def _check_folder(self) -> None:
        if self._folder.resolve().is_relative_to(self._root.resolve()):
            raise UserError(
                f"output_dir={self._folder} lies in root={self._root}, which is only read: name "
                "another folder"
            )
        check_new(self._folder)

    def _findings(self, found: Survey) -> list[Finding]:
        photos = found.photos
        same, distinct = duplicates(photos)
        return [
            *broken(found),
            *odd_sizes(photos, self._min_side, self._aspects),
            *same,
            *near_duplicates([photos[index] for index in distinct], self._near_bits),
            *outliers(found, distinct),
        ]


def _as_csv(findings: list[Finding]) -> str:
    order = list(Kind)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("file", "finding", "detail"))
    for finding in sorted(findings, key=lambda finding: (order.index(finding.kind), finding.file)):
        writer.writerow((finding.file, finding.kind.value, finding.detail))
    return text.getvalue()


def _table(findings: list[Finding], outliers_too: bool) -> str:
    counts = Counter(finding.kind for finding in findings)
    shown = {kind: str(counts[kind]) for kind in Kind}
    if not outliers_too:
        shown[Kind.OUTLIER] = "-"
    lines = [f"{kind.value:<14}{count:>7}" for kind, count in shown.items()]
    return "\n".join(["finding         files", *lines])
