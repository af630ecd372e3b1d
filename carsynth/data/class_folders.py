"""Photos in a folder a class: a class label each, and no part maps."""

from pathlib import Path

import numpy as np

from carsynth.data.batch import CarSample
from carsynth.data.files import PICTURES, list_pictures, one_of
from carsynth.data.photos import read_photo, resize_photo
from carsynth.errors import UserError
from carsynth.labels import BACKGROUND

_FEWEST = 2


class ClassFolders:
    """Photos sorted into one folder a class as a source of samples.

    ``root/audi/a4/car.jpg`` has the class ``audi``: whatever lies below a class's folder belongs
    to it. Classes are in the order of their names; a name is the path below ``root``. Part maps
    are all background. Folders whose name begins with a dot are passed over.

    Args:
        root: folder with a subfolder for each class and no photos of its own.

    Raises:
        UserError: the folder is missing, has no subfolders, or holds photos beside them, or a
            class has fewer than two photos.
    """

    def __init__(self, root: str | Path) -> None:
        root = Path(root)
        folders = _class_folders(root)
        self.classes = tuple(folder.name for folder in folders)
        self.class_twins = tuple(range(len(folders)))
        self._photos: dict[str, tuple[list[Path], int]] = {}
        for label, folder in enumerate(folders):
            photos = _photos_below(folder)
            if len(photos) < _FEWEST:
                count = f"{len(photos)} photo" + ("" if len(photos) == 1 else "s")
                raise UserError(
                    f"class {folder.name} has {count} in {folder}, and a class needs {_FEWEST} or "
                    "more: add photos or remove the folder"
                )
            for name, paths in photos.items():
                self._photos[f"{folder.name}/{name}"] = (paths, label)
        self.names = tuple(sorted(self._photos))

    def read(self, index: int, size: tuple[int, int]) -> CarSample:
        """The sample at ``size`` (height, width).

        Raises:
            UserError: the photo cannot be decoded, or two files share its name.
        """
        paths, label = self._photos[self.names[index]]
        photo = resize_photo(read_photo(one_of(paths)), size)
        return CarSample(photo, np.full(size, BACKGROUND, dtype=np.uint8), label)


def _class_folders(root: Path) -> list[Path]:
    if not root.is_dir():
        what = "is not a folder" if root.exists() else "does not exist"
        raise UserError(f"data folder {root} {what}: check the path")
    entries = sorted(path for path in root.iterdir() if not path.name.startswith("."))
    folders = [path for path in entries if path.is_dir()]
    if not folders:
        raise UserError(f"data folder {root} has no subfolders: give each class a folder there")
    if loose := [p for p in entries if p.suffix.lower() in PICTURES and p.is_file()]:
        raise UserError(
            f"data folder {root} holds {loose[0].name} ({len(loose)} such in all) beside its class "
            "folders: move each photo into the folder of its class"
        )
    return folders


def _photos_below(folder: Path) -> dict[str, list[Path]]:
    try:
        return list_pictures(folder)
    except UserError:  # it is a folder, hence empty
        return {}
