"""Folders of real photos, and of what goes wrong with them, for the instruments to tell apart.

python experiments/instruments/make_folders.py PHOTOS OUTPUT [HEIGHT WIDTH]

Half of the photos are ``train``; the others are halved again, into ``real`` and ``other``. Every
other folder is made of ``other`` (as many pictures), but for ``copies``: half of it are photos of
``train``, as they are, mirrored, compressed, brightened, shifted or shrunk and grown.
"""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from carsynth.data.files import list_pictures
from carsynth.data.photos import read_photo, resize_photo

MOST = 1200
"""Photos that are taken, drawn at random."""

Photo = NDArray[np.uint8]
Change = Callable[[Photo, np.random.Generator], Photo]


def blur(sigma: float) -> Change:
    return lambda photo, _: cv2.GaussianBlur(photo, (0, 0), sigma).astype(np.uint8)


def noise(std: float) -> Change:
    def change(photo: Photo, random: np.random.Generator) -> Photo:
        noisy = photo + random.normal(0.0, std, photo.shape)
        return noisy.clip(0, 255).round().astype(np.uint8)

    return change


def jpeg(quality: int) -> Change:
    def change(photo: Photo, _: np.random.Generator) -> Photo:
        coded = cv2.imencode(".jpg", photo[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        return cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1].astype(np.uint8)

    return change


def shuffle(tiles: int) -> Change:
    """Cuts a photo into tiles x tiles pieces and lays them out anew."""

    def change(photo: Photo, random: np.random.Generator) -> Photo:
        height, width = photo.shape[0] // tiles, photo.shape[1] // tiles
        places = [(row * height, column * width) for row in range(tiles) for column in range(tiles)]
        laid = photo.copy()
        for (y, x), (v, u) in zip(places, random.permutation(places), strict=True):
            laid[y : y + height, x : x + width] = photo[v : v + height, u : u + width]
        return laid

    return change


def shrink(photo: Photo, _: np.random.Generator) -> Photo:
    height, width = photo.shape[:2]
    return resize_photo(resize_photo(photo, (height // 2, width // 2)), (height, width))


FAULTS: dict[str, Change] = {
    **{f"blur_{sigma:g}": blur(sigma) for sigma in (0.5, 1.0, 2.0, 4.0)},
    **{f"noise_{std:g}": noise(std) for std in (5.0, 10.0, 20.0, 40.0)},
    **{f"jpeg_{quality}": jpeg(quality) for quality in (75, 30, 10, 5)},
    **{f"shuffle_{tiles}": shuffle(tiles) for tiles in (2, 4, 8, 16)},
}

COPIES: dict[str, Change] = {
    "exact": lambda photo, _: photo,
    "mirrored": lambda photo, _: photo[:, ::-1].copy(),
    "jpeg75": jpeg(75),
    "jpeg30": jpeg(30),
    "brighter": lambda photo, _: (photo * 1.1).clip(0, 255).astype(np.uint8),
    "shifted": lambda photo, _: np.roll(photo, (1, 2), (0, 1)),
    "shrunk": shrink,
}


def save(photo: Photo, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), photo[..., ::-1])


def main(photos: str, output: str, height: str = "128", width: str = "128") -> None:
    size, folder, random = (int(height), int(width)), Path(output), np.random.default_rng(0)
    if folder.exists():
        raise SystemExit(f"{folder} is there already: name a new folder")
    paths = [path for same in list_pictures(Path(photos)).values() for path in same]
    order = [paths[i] for i in random.permutation(len(paths))][:MOST]
    quarter = len(order) // 4
    sets = {"train": order[: 2 * quarter], "real": order[2 * quarter : 3 * quarter]}
    sets["other"] = order[3 * quarter : 4 * quarter]
    for name, members in sets.items():
        for number, path in enumerate(members):
            photo = resize_photo(read_photo(path), size)
            save(photo, folder / name / f"{number:05d}.png")
            if name != "other":
                continue
            for fault, change in FAULTS.items():
                save(change(photo, random), folder / fault / f"{number:05d}.png")
    others = sorted((folder / "other").iterdir())
    for number, path in enumerate(others):
        few = others[number % 10]
        shutil.copy(few, _made(folder / "ten_only") / path.name)
        if number % 2:
            shutil.copy(path, _made(folder / "copies") / path.name)
            continue
        kind = list(COPIES)[number // 2 % len(COPIES)]
        photo = read_photo(folder / "train" / f"{number // 2:05d}.png")
        save(COPIES[kind](photo, random), folder / "copies" / f"{kind}_{number:05d}.png")


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


if __name__ == "__main__":
    main(*sys.argv[1:])
