from pathlib import Path

import pytest
from lightning.pytorch import Callback
from matplotlib.figure import Figure
from PIL import Image

from carsynth.callbacks import curves
from carsynth.callbacks.best_checkpoint import BestCheckpoint
from carsynth.callbacks.curves import TrainingCurves
from carsynth.callbacks.generation_metrics import GenerationMetrics
from carsynth.callbacks.run_record import RunRecord
from carsynth.reporting.plots import training_figure
from tests.callbacks.tiny_players import TinyData, TinyMetric, make_trainer, seeded_players


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that were drawn, in order."""
    figures: list[Figure] = []

    def keep(*arguments: object) -> Figure:
        figures.append(training_figure(*arguments))  # type: ignore[arg-type]
        return figures[-1]

    monkeypatch.setattr(curves, "training_figure", keep)
    return figures


def callbacks() -> list[Callback]:
    return [
        TrainingCurves(),  # in front, as the scores are in the file before any is asked
        GenerationMetrics(TinyMetric()),
        BestCheckpoint(),
        RunRecord({}),
    ]


def epochs(figure: Figure) -> tuple[list[int], list[int]]:
    """Of the first loss term and of the score."""
    losses, scores = figure.axes
    return list(losses.lines[0].get_xdata()), list(scores.lines[0].get_xdata())


def test_each_validation_draws_what_is_known_by_then(tmp_path: Path, drawn: list[Figure]) -> None:
    trainer = make_trainer(tmp_path, callbacks(), max_epochs=3)
    trainer.fit(seeded_players(), TinyData())
    assert [epochs(figure) for figure in drawn] == [
        ([0], [0]),
        ([0, 1], [0, 1]),
        ([0, 1, 2], [0, 1, 2]),
    ]
    losses, scores = drawn[-1].axes
    assert [line.get_label() for line in losses.lines] == ["discriminator", "generator"]
    assert scores.lines[0].get_ydata()[-1] == pytest.approx(
        trainer.callback_metrics["val/frechet_tiny"]
    )
    floor = trainer.callbacks[1].floor  # type: ignore[attr-defined]
    assert set(scores.lines[1].get_ydata()) == {floor.mean}
    best = trainer.checkpoint_callback
    assert isinstance(best, BestCheckpoint)
    assert list(scores.lines[2].get_xdata()) == [best.best_epoch]
    assert scores.lines[2].get_ydata()[0] == pytest.approx(best.best_score)
    picture = Image.open(tmp_path / "curves.png")
    assert picture.width > 2 * picture.height


def test_the_curves_of_a_resumed_run_go_on(tmp_path: Path, drawn: list[Figure]) -> None:
    make_trainer(tmp_path, callbacks(), max_epochs=2).fit(seeded_players(), TinyData())
    last = tmp_path / "checkpoints" / "last.ckpt"
    trainer = make_trainer(tmp_path, callbacks(), max_epochs=4)
    trainer.fit(seeded_players(), TinyData(), ckpt_path=last, weights_only=True)
    assert epochs(drawn[-1]) == ([0, 1, 2, 3], [0, 1, 2, 3])
    before, after = drawn[1].axes[1].lines[0], drawn[-1].axes[1].lines[0]
    assert list(after.get_ydata())[:2] == list(before.get_ydata())


def test_a_picture_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "curves.png").mkdir()
    trainer = make_trainer(tmp_path, callbacks(), max_epochs=1)
    with pytest.warns(UserWarning, match=r"curves\.png could not be drawn"):
        trainer.fit(seeded_players(), TinyData())
    assert (tmp_path / "checkpoints" / "best.ckpt").exists()


def test_without_a_csv_file_there_is_nothing_to_draw(tmp_path: Path) -> None:
    make_trainer(tmp_path, callbacks(), 1, logger=False).fit(seeded_players(), TinyData())
    assert not (tmp_path / "curves.png").exists()
