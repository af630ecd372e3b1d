"""What a cleaning report says of a file, from a survey of all."""

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

import numpy as np

from carsynth.preparation.near import BITS, Pair, groups_of, near_pairs
from carsynth.preparation.outliers import far_ones
from carsynth.preparation.survey import Photo, Survey


class Kind(Enum):
    """In the order of the report."""

    BROKEN = "not decodable"
    SMALL = "too small"
    ASPECT = "wrong aspect"
    DUPLICATE = "duplicate"
    NEAR = "near duplicate"
    OUTLIER = "outlier"


class Finding(NamedTuple):
    """One thing about one file."""

    file: str
    kind: Kind
    detail: str
    note: str = ""
    """The detail in a few words, for a picture's caption."""
    like: str = ""
    """The other file of a pair."""
    like_note: str = ""
    """What to say of that one."""
    weight: float = 0.0
    """Findings of one kind are shown in falling order of it."""


def broken(found: Survey) -> list[Finding]:
    """Files that cannot be decoded, with the reader's words."""
    return [Finding(name, Kind.BROKEN, reason, reason) for name, reason in found.broken.items()]


def odd_sizes(
    photos: Sequence[Photo], min_side: int, aspects: tuple[float, float]
) -> list[Finding]:
    """Photos whose shorter side has fewer than ``min_side`` pixels, or whose aspect is outside.

    Args:
        aspects: smallest and largest width over height.
    """
    findings = []
    for photo in photos:
        height, width = photo.size
        if min(height, width) < min_side:
            detail = f"{width}x{height}, shorter side under {min_side}"
            weight = -float(min(height, width))
            findings.append(
                Finding(photo.name, Kind.SMALL, detail, f"{width}x{height}", weight=weight)
            )
        aspect = width / height
        if not aspects[0] <= aspect <= aspects[1]:
            detail = f"{width}x{height}, {aspect:.2f} is not in {aspects[0]:g} to {aspects[1]:g}"
            weight = abs(float(np.log(aspect)))
            note = f"{width}x{height}, {aspect:.2f}"
            findings.append(Finding(photo.name, Kind.ASPECT, detail, note, weight=weight))
    return findings


def duplicates(photos: Sequence[Photo]) -> tuple[list[Finding], list[int]]:
    """All but the first photo of equal pixels; and the indices of the first ones."""
    first: dict[bytes, int] = {}
    findings = []
    for index, photo in enumerate(photos):
        kept = photos[first.setdefault(photo.digest, index)]
        if kept is not photo:
            detail = f"same pixels as {kept.name}"
            findings.append(
                Finding(photo.name, Kind.DUPLICATE, detail, "same pixels", kept.name, "kept")
            )
    return findings, list(first.values())


def near_duplicates(photos: Sequence[Photo], most: int) -> list[Finding]:
    """All but the largest photo of each group whose looks differ in at most ``most`` bits."""
    if len(photos) < 2:
        return []
    pairs = list(near_pairs(np.stack([photo.looks for photo in photos]), most))
    links: dict[int, list[Pair]] = {}
    for pair in pairs:
        links.setdefault(pair.first, []).append(pair)
        links.setdefault(pair.second, []).append(pair)
    findings = []
    for group in groups_of(pairs):
        kept = max(group, key=lambda i: (np.prod(photos[i].size), photos[i].num_bytes, -i))
        for index in group:
            if index != kept:
                findings.append(_near(photos, index, kept, links[index]))
    return findings


def _near(photos: Sequence[Photo], index: int, kept: int, links: list[Pair]) -> Finding:
    """Compared with the kept photo, or with the closest one where others lie between."""
    link = min(links, key=lambda pair: (kept not in pair[:2], pair.distance))
    other = photos[link.second if link.first == index else link.first].name
    mirrored = "mirrored " if link.mirrored else ""
    detail = f"like {mirrored}{other}, {link.distance} of {BITS} bits differ"
    note = ("mirrored, " if link.mirrored else "") + f"{link.distance} of {BITS} bits differ"
    like_note = "kept"
    if kept not in link[:2]:
        detail += f", in the group of {photos[kept].name}"
        like_note = f"listed as well, like {photos[kept].name}"
    return Finding(photos[index].name, Kind.NEAR, detail, note, other, like_note, link.distance)


def outliers(found: Survey, chosen: Sequence[int]) -> list[Finding]:
    """Photos far from all others among the chosen indices; none where there are no features."""
    if found.features is None:
        return []
    return [
        Finding(
            found.photos[chosen[index]].name,
            Kind.OUTLIER,
            f"{score:.1f} median deviations further from the others than usual",
            f"{score:.1f} deviations off",
            weight=score,
        )
        for index, score in far_ones(found.features[list(chosen)]).items()
    ]
