"""``task=parts``: photos with part annotations made into a set for both stages."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from carsynth.data.files import write_atomically
from carsynth.data.new_folder import check_new, new_folder
from carsynth.errors import UserError
from carsynth.preparation.cutting import Cut, Cutter, framed
from carsynth.preparation.framing import Sizes, Window, usual_sizes, window_for
from carsynth.preparation.manifest import MANIFEST, LeftOut, Sample, as_json, source_of
from carsynth.preparation.originals import Originals
from carsynth.preparation.set_files import SetFiles
from carsynth.preparation.set_sheets import draw_sheets
from carsynth.preparation.set_summary import summary
from carsynth.preparation.tile_sheet import MOST, Tile
from carsynth.preparation.weighting import sampling_weights, views_without

FRAMINGS = ("drop", "rescale", "keep")

_SHOWN = 12  # cars whose steps a sheet shows


class Parts:
    """Photos, part maps as ids, part maps as colours, sheets, and a manifest.

    ``photos/`` and ``masks/`` are what ``data=paired_folders`` reads, ``maps/`` holds the same maps
    in the palette's colours, ``moved/`` what snapping did to painted parts. Cars that cannot be
    used are left out, each with its reason in ``manifest.json``.

    Args:
        originals: what is prepared.
        cutter: does the steps that need one car alone.
        output_dir: a new or empty folder; it is there once the set is complete.
        size: height and width of photos and maps.
        framing: what becomes of cars whose size in the frame is far from the rest: ``drop``,
            ``rescale`` (to the median) or ``keep``.
        far: robust standard deviations that are far.
        settings: what the manifest says of the run.

    Raises:
        UserError: a setting is out of range, or the folder is in use.
    """

    def __init__(
        self,
        originals: Originals,
        cutter: Cutter,
        output_dir: str | Path,
        size: Sequence[int],
        framing: str,
        far: float,
        settings: Mapping[str, Any],
    ) -> None:
        if len(size) != 2 or min(size) < 1:
            raise UserError(f"data.size={list(size)}: give a height and a width")
        if framing not in FRAMINGS:
            raise UserError(f"framing={framing} is unknown: choose one of {', '.join(FRAMINGS)}")
        if not far > 0:
            raise UserError(f"far={far}: give a number over 0")
        if originals.painted:
            cutter.check_palette()
        self._originals = originals
        self._cutter = cutter
        self._folder = Path(str(output_dir))
        self._size = (int(size[0]), int(size[1]))
        self._framing = framing
        self._far = far
        self._settings = dict(settings)
        self._left_out: list[LeftOut] = []
        self._stages: list[Tile] = []
        self._odd_sizes: list[Tile] = []
        check_new(self._folder, "output_dir")

    def run(self) -> None:
        """Prepare every car, behind a progress bar; print what came of it.

        Raises:
            UserError: no car can be used, or ``output_dir`` cannot be written to.
        """
        self._cutter.whole_car.load()
        with new_folder(self._folder, "output_dir") as draft:
            files = SetFiles(draft, self._cutter.palette)
            samples = self._cut_all(files)
            usual = usual_sizes([sample.size for sample in samples.values()], self._far)
            if usual is not None and self._framing != "keep":
                self._frame_all(files, samples, usual)
            kept = list(samples.values())
            groups = [sample.group() for sample in kept]
            for sample, weight in zip(kept, sampling_weights(groups), strict=True):
                sample.weight = weight
            missing = views_without(groups)
            sheets = draw_sheets(draft, files, kept, self._stages, self._odd_sizes)
            settings = self._settings | {"usual_sizes": usual and usual._asdict()}
            text = as_json(settings, kept, self._left_out, sheets, missing)
            write_atomically(draft / MANIFEST, text)
        print(summary(self._folder, kept, self._left_out, missing, usual))

    def _cut_all(self, files: SetFiles) -> dict[int, Sample]:
        """Every car that can be used, in its whole frame, by its index."""
        samples: dict[int, Sample] = {}
        names = self._originals.names
        for index, name in enumerate(tqdm(names, desc="cars", unit="car")):
            try:
                cut, body = self._cut(index)
            except UserError as error:
                self._left_out.append(LeftOut(name, str(error), self._source(index)))
                continue
            samples[index] = Sample(
                name,
                self._write(files, name, cut, None),
                self._source(index),
                [*cut.steps, *self._last_steps(cut, None)],
                *cut.seen,
                body,
                cut.size,
                cut.notes,
            )
            if len(self._stages) < _SHOWN:
                pictures = list(cut.stages.values())
                self._stages.append(Tile(pictures, (name, " | ".join(cut.stages))))
        if not samples:
            first = self._left_out[0]
            raise UserError(
                f"none of {len(names)} cars can be used; the first, {first.name}: {first.reason}"
            )
        return samples

    def _frame_all(self, files: SetFiles, samples: dict[int, Sample], usual: Sizes) -> None:
        """Drops or rescales the cars whose size is far from the rest."""
        far = [i for i, s in samples.items() if not usual.low <= s.size <= usual.high]
        for index in tqdm(far, desc="sizes", unit="car", disable=not far):
            sample = samples[index]
            what = f"its box takes {sample.size:.0%} of the frame"
            tile = files.tile(sample.files, sample.name, what)
            if self._framing == "rescale":
                cut, _ = self._cut(index)
                window = window_for(cut.part_map, usual.median)
                self._write(files, sample.name, cut, window)
                sample.steps = [*cut.steps, *self._last_steps(cut, window)]
                pictures = [*tile.pictures, *files.tile(sample.files).pictures]
                tile = tile._replace(pictures=pictures)
            else:
                reason = f"{what}; {usual.low:.0%} to {usual.high:.0%} is usual"
                self._left_out.append(LeftOut(sample.name, reason, sample.source))
                files.remove(sample.files)
                del samples[index]
            if len(self._odd_sizes) < MOST:
                self._odd_sizes.append(tile)

    def _cut(self, index: int) -> tuple[Cut, str | None]:
        """The car and its body, where that is known."""
        original = self._originals.read(index, self._size)
        return self._cutter.cut(self._originals.names[index], original), original.body

    def _write(self, files: SetFiles, name: str, cut: Cut, window: Window | None) -> dict[str, str]:
        return files.write(name, *framed(cut, window, self._size), cut.moved)

    def _last_steps(self, cut: Cut, window: Window | None) -> list[dict[str, Any]]:
        source = list(cut.part_map.shape)
        frame: dict[str, Any] = {"step": "frame", "size": cut.size, "window": None}
        if window is not None:
            source = [window.height, window.width]
            filled = window.filled(cut.part_map.shape[:2])
            frame |= {"window": window._asdict(), "filled": filled}
        return [frame, {"step": "resize", "from": source, "to": list(self._size)}]

    def _source(self, index: int) -> dict[str, Any]:
        name = self._originals.names[index]
        files = (*self._originals.files(index), *self._cutter.whole_car.files(name))
        return source_of(files, self._originals.origin(index))
