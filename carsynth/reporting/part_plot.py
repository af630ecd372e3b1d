"""Part statistics of drawn and real maps as one picture."""

from pathlib import Path
from typing import Protocol

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from carsynth.data.files import replace_atomically
from carsynth.labels import BACKGROUND, PALETTE, PARTS, VIEWS


class Statistics(Protocol):
    """What is drawn of a set of maps; see ``metrics.part_statistics``."""

    @property
    def maps(self) -> int: ...

    @property
    def area(self) -> NDArray[np.float64]: ...

    @property
    def present(self) -> NDArray[np.float64]: ...

    @property
    def views(self) -> NDArray[np.float64]: ...


def draw_parts(real: Statistics, drawn: Statistics, path: Path) -> None:
    """Writes a PNG: mean area of every part, and the share of each view's maps that show it."""
    parts = [index for index in range(len(PARTS)) if index != BACKGROUND]
    names = [PARTS[index].name.replace("_", " ") for index in parts]
    figure = Figure(figsize=(11, 6.5), layout="constrained")
    FigureCanvasAgg(figure)
    areas, real_views, drawn_views = figure.subplots(1, 3, sharey=True, width_ratios=[2, 1, 1])
    places = np.arange(len(parts))
    colours = PALETTE[parts] / 255
    areas.barh(places - 0.2, 100 * real.area[parts], 0.38, color=colours, edgecolor="black")
    areas.barh(
        places + 0.2, 100 * drawn.area[parts], 0.38, color=colours, edgecolor="black", hatch="////"
    )
    areas.set_yticks(places, names)
    areas.invert_yaxis()
    areas.set_xlabel("mean area, % of the picture")
    areas.set_title("plain: real, hatched: drawn")
    for axes, title, of in ((real_views, "real", real), (drawn_views, "drawn", drawn)):
        image = axes.imshow(of.present[:, parts].T, vmin=0, vmax=1, cmap="viridis", aspect="auto")
        labels = [f"{v}\n{100 * share:.0f} %" for v, share in zip(VIEWS, of.views, strict=True)]
        axes.set_xticks(range(len(VIEWS)), labels)
        axes.set_title(f"{title}: maps of a view that\nshow the part ({of.maps} maps)")
    figure.colorbar(image, ax=drawn_views, label="share of those maps")
    replace_atomically(path, lambda file: figure.savefig(file, format="png", dpi=100))
