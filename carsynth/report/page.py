"""The report of a two-stage pipeline: one page that opens anywhere, and its pictures beside it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from carsynth.data.files import write_atomically
from carsynth.report.copies import copies
from carsynth.report.generated import generated
from carsynth.report.labelled import labelled
from carsynth.report.markup import Html
from carsynth.report.overview import heading, overview
from carsynth.report.pictures import Pictures
from carsynth.report.provenance import provenance
from carsynth.report.reading import shown
from carsynth.report.scores import scores
from carsynth.report.skeleton import Section, document
from carsynth.report.trainings import trainings
from carsynth.report.usefulness import usefulness

PAGE = "index.html"


def write_report(root: Path, folder: Path) -> Path:
    """Writes ``index.html`` and the PNGs that it shows, from what stages have left below ``root``.

    The page needs no other file. What is missing or damaged is left out with a line that says so.

    Returns:
        The page.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pictures = Pictures(root, folder)
    parts: list[tuple[str, str, Callable[[], Html]]] = [
        ("overview", "In short", partial(overview, root)),
        ("data", "Labelled data", partial(labelled, root, pictures)),
        ("training", "What was trained", partial(trainings, root, pictures)),
        ("scores", "Scores", partial(scores, root, pictures)),
        ("copies", "Copies of training pictures", partial(copies, root, pictures)),
        ("generated", "Generated pictures", partial(generated, root, pictures)),
        ("usefulness", "Does it help?", partial(usefulness, root, pictures)),
        ("provenance", "Provenance", partial(provenance, root)),
    ]
    sections = [Section(anchor, title, shown(part)) for anchor, title, part in parts]
    path = folder / PAGE
    write_atomically(path, document(*heading(root), sections))
    return path
