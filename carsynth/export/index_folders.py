"""Export as two folders of PNG files, photos and palette pictures of part ids."""

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from carsynth.data.new_folder import new_folder
from carsynth.export.in_order import in_order
from carsynth.export.labelled import LabelledPicture
from carsynth.export.png import PngEncoder
from carsynth.export.provenance import Provenance


def export_index_folders(
    pictures: Iterable[LabelledPicture], folder: Path, provenance: Provenance, threads: int = 2
) -> int:
    """Writes ``photos/NAME.png`` and ``masks/NAME.png``; returns the number of pictures.

    A mask's indices are ids of ``labels.PARTS`` and its palette is theirs, so that it may be looked
    at. :class:`carsynth.data.folders.PairedFolders` reads both back.

    Raises:
        UserError: a picture or the folder cannot be used, there are no pictures, or the disk is
            full.
    """
    encoder = PngEncoder(provenance)
    with new_folder(folder) as draft:
        photos, masks = draft / "photos", draft / "masks"
        photos.mkdir()
        masks.mkdir()
        provenance.save(draft)

        def write(picture: LabelledPicture) -> None:
            name = f"{picture.name}.png"
            (photos / name).write_bytes(encoder.photo(picture.photo, picture.info))
            (masks / name).write_bytes(encoder.part_map(picture.part_map, picture.info))

        with closing(in_order(pictures, write, threads)) as written:
            return sum(1 for _ in written)
