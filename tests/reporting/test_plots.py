"""What is drawn, asked of the figure itself; and that it becomes a picture."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from carsynth.reporting.history import read_history
from carsynth.reporting.plots import comparison_figure, save, training_figure
from carsynth.reporting.runs import find_runs
from carsynth.reporting.table import compare
from tests.reporting.run_folders import MONITOR, make_run


def legend(axes: object) -> list[str]:
    return axes.get_legend_handles_labels()[1]  # type: ignore[attr-defined, no-any-return]


def test_the_course_of_a_training(tmp_path: Path) -> None:
    make_run(tmp_path / "a", [4.0, 3.0, 5.0])
    figure = training_figure(read_history(tmp_path / "a" / "metrics.csv"), MONITOR, 2.0)
    losses, scores = figure.axes
    terms = {line.get_label(): line for line in losses.lines}
    assert list(terms["d"].get_ydata()) == [1.0, 1.0, 1.0]
    assert list(terms["g"].get_xdata()) == [0, 1, 2]
    assert list(terms["g"].get_ydata()) == [1.5, 2.5, 3.5]
    assert legend(scores) == [MONITOR, "floor 2", "best: 3 at epoch 1"]
    course, floor, best = scores.lines
    assert list(course.get_ydata()) == [4.0, 3.0, 5.0]
    assert set(floor.get_ydata()) == {2.0}
    assert (list(best.get_xdata()), list(best.get_ydata())) == ([1], [3.0])


def test_a_training_without_any_score_yet(tmp_path: Path) -> None:
    make_run(tmp_path / "a", [], floor=None)
    figure = training_figure(read_history(tmp_path / "a" / "metrics.csv"), MONITOR, None)
    save(figure, tmp_path / "curves.png")
    assert Image.open(tmp_path / "curves.png").size[0] > 1000


def test_runs_side_by_side(tmp_path: Path) -> None:
    for seed, score in enumerate((3.0, 5.0)):
        make_run(tmp_path / f"wide{seed}", [9.0, score], seed=seed, arch__width=16)
    make_run(tmp_path / "narrow", [4.5])
    make_run(tmp_path / "early", [], status="failed", seed=7)
    figure = comparison_figure(compare(find_runs(tmp_path)))
    left, right = figure.axes
    labels = [label.get_text() for label in left.get_yticklabels()]
    assert labels[0] == "width=16\n4 ± 1.4 (n=2)"
    assert labels[1] == "width=8\nnarrow: 4.5"
    assert legend(left) == ["floor", "a run", "mean ± std of seeds"]
    drawn = sorted(tuple(line.get_ydata()) for line in right.lines)
    assert drawn == [(2.0, 2.0), (4.5,), (9.0, 3.0), (9.0, 5.0)]
    assert figure.get_supxlabel() == "without a score: early (failed)"
    save(figure, tmp_path / "comparison.png")
    assert np.asarray(Image.open(tmp_path / "comparison.png").convert("L")).std() > 5


def test_each_metric_has_a_row_of_its_own(tmp_path: Path) -> None:
    make_run(tmp_path / "a", [3.0], monitor="val/one")
    make_run(tmp_path / "b", [100.0], monitor="val/other")
    figure = comparison_figure(compare(find_runs(tmp_path)))
    assert [axes.get_xlabel() for axes in figure.axes[::2]] == ["val/one", "val/other"]


def test_no_score_at_all_is_a_picture_that_says_so(tmp_path: Path) -> None:
    make_run(tmp_path / "a", [], status="failed")
    figure = comparison_figure(compare(find_runs(tmp_path)))
    save(figure, tmp_path / "comparison.png")
    assert figure.get_supxlabel() == "without a score: a (failed)"


def test_a_picture_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    figure = training_figure([], MONITOR, 1.0)
    with pytest.raises(OSError, match="nowhere"):
        save(figure, tmp_path / "nowhere" / "curves.png")
    save(figure, tmp_path / "curves.png")
    assert [path.name for path in tmp_path.iterdir()] == ["curves.png"]
