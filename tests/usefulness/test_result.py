import csv
import io
from pathlib import Path

import pytest

from carsynth.metrics.segmentation import scores_of
from carsynth.usefulness_study.plan import MIXES
from carsynth.usefulness_study.plot import study_figure
from carsynth.usefulness_study.protocol import protocol
from carsynth.usefulness_study.result import Row, StudyResult, to_data
from carsynth.usefulness_study.table import to_csv, to_text
from carsynth.usefulness_study.training import Trained
from tests.usefulness.small_study import confusion, plan

FOUND = {"real": (0.4, 0.6), "synthetic": (0.4, 0.5), "real+synthetic": (0.7, 0.8)}


@pytest.fixture
def result(tmp_path: Path) -> StudyResult:
    """Two parts; each mix finds such shares of both from two seeds, and nothing false."""
    rows = []
    for mix in MIXES:
        trained = tuple(
            Trained(seed, 5, 1.0, 2.0, scores_of(confusion(share)))
            for seed, share in enumerate(FOUND[mix])
        )
        rows.append(Row(25, mix, "pictures", None if mix == "real" else "all", "none", trained))
    settings = {"steps": 5, "seeds": [0, 1]}
    return StudyResult(tuple(rows), protocol(plan(tmp_path), 6), settings, 12.0)


def test_means_spreads_and_ratios(result: StudyResult) -> None:
    real, synthetic, both = result.rows
    assert real.miou(merged=False).mean == pytest.approx(0.5)
    assert real.miou(merged=False).std == pytest.approx(0.1 * 2**0.5)
    assert result.ratio(real, merged=True) == 1.0
    assert result.ratio(synthetic, merged=True) == pytest.approx(0.9)
    assert result.ratio(both, merged=False) == pytest.approx(1.5)
    assert both.parts(merged=False)["hood"].mean == pytest.approx(0.75)
    assert "mirror" in result.absent(merged=True)
    assert result.unasked(merged=False) == []


def test_the_table_and_the_data_say_the_same(result: StudyResult) -> None:
    text = to_text(result)
    line = next(line for line in text.splitlines() if line.startswith("25") and "+" in line)
    figures = "0.7500 ± 0.0707 1.500"
    assert " ".join(line.split()) == f"25 real+synthetic {figures} {figures} 2"
    assert "left out, in no test map and never predicted" in text
    data = to_data(result)
    assert data["rows"][2]["distinct"]["over_real"] == pytest.approx(1.5)
    assert data["rows"][2]["merged"]["parts"]["wheel"]["mean"] == pytest.approx(0.75)
    assert "trunk" in data["absent_parts"]["distinct"]
    lines = list(csv.DictReader(io.StringIO(to_csv(result))))
    assert [float(line["miou_distinct"]) for line in lines] == pytest.approx(
        sum(FOUND.values(), ())
    )
    assert lines[0]["distinct_trunk"] == ""


def test_the_plot_has_a_line_a_mix_in_both_halves(result: StudyResult) -> None:
    left, right = study_figure(result).axes
    for axes in (left, right):
        means = [container.lines[0].get_ydata()[0] for container in axes.containers]
        assert means == pytest.approx([0.5, 0.45, 0.75])
        assert axes.get_ylim()[0] == 0.0
        assert axes.get_ylim()[1] > 0.75 + 0.1 / 2**0.5  # the highest bar
    assert [text.get_text() for text in left.get_legend().get_texts()] == [
        "real",
        "synthetic",
        "real + synthetic",
    ]
