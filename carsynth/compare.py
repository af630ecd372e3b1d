"""``python -m carsynth.compare DIR``: all runs below a folder side by side, best first."""

import sys
from pathlib import Path

from omegaconf import DictConfig

from carsynth.cli import door
from carsynth.data.files import write_atomically
from carsynth.errors import UserError
from carsynth.reporting.plots import comparison_figure, save
from carsynth.reporting.runs import find_runs
from carsynth.reporting.table import compare, to_csv, to_text


def compare_runs(config: DictConfig) -> None:
    """Prints the table and writes it to ``dir`` as ``comparison.csv`` and ``comparison.png``.

    Raises:
        UserError: the folder holds no run, or cannot be written to.
    """
    if config.dir is None:
        raise UserError("say what to compare: python -m carsynth.compare DIR")
    folder = Path(config.dir)
    comparison = compare(find_runs(folder))
    table, picture = folder / "comparison.csv", folder / "comparison.png"
    try:
        write_atomically(table, to_csv(comparison))
        save(comparison_figure(comparison), picture)
    except OSError as error:
        raise UserError(f"dir={folder} cannot be written to: {error}") from error
    print(to_text(comparison), f"\nwritten to {table} and {picture}", sep="\n")


def _named(words: list[str]) -> list[str]:
    """The words with a bare folder as Hydra wants it: ``dir='FOLDER'``."""
    named = []
    for word in words:
        if word.startswith("-") or (("=" in word) and not Path(word).is_dir()):
            named.append(word)
        else:
            quoted = word.replace("\\", "\\\\").replace("'", "\\'")
            named.append(f"dir='{quoted}'")
    return named


_hydra_main = door("compare")(compare_runs)


def main() -> None:
    """Accepts the folder as a bare word, too."""
    sys.argv[1:] = _named(sys.argv[1:])
    folders = [word for word in sys.argv[1:] if word.startswith("dir=")]
    if len(folders) > 1:
        print("carsynth: compare takes one folder: name the one above them", file=sys.stderr)
        raise SystemExit(2)
    _hydra_main()


if __name__ == "__main__":
    main()
