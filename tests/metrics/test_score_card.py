from typing import Any

import pytest
import torch
from torch import Tensor

from carsynth.metrics.floor import Floor, FloorBook, floors
from carsynth.metrics.frechet import Frechet
from carsynth.metrics.inception_score import InceptionScore
from carsynth.metrics.kernel import KernelDistance
from carsynth.metrics.manifold import Manifold
from carsynth.metrics.paired import PeakSignalToNoise, StructuralSimilarity
from carsynth.metrics.paired_card import PairedCard
from carsynth.metrics.score_card import Score, score_card
from tests.callbacks.tiny_players import TinyExtractor

FIGURES = [Frechet(), KernelDistance(), Manifold(), InceptionScore()]


def features(count: int, seed: int, shift: float = 0.0) -> Tensor:
    return torch.randn(count, 8, generator=torch.Generator().manual_seed(seed)) + shift


def card(real: Tensor, fake: Tensor, **words: Any) -> dict[str, Score]:
    words = {"book": FloorBook(FIGURES, TinyExtractor(), 0), **words}
    scores = score_card(real, fake, FIGURES, TinyExtractor(), **words)
    return {score.name: score for score in scores}


def test_every_figure_names_its_extractor_and_the_missing_one_its_reason() -> None:
    scores = card(features(60, 0), features(60, 1))
    assert list(scores) == [
        "frechet_tiny",
        "kernel_tiny",
        "precision_tiny",
        "recall_tiny",
        "density_tiny",
        "coverage_tiny",
        "inception_score_tiny",
    ]
    absent = scores.pop("inception_score_tiny")
    assert absent.value is None
    assert absent.why == "tiny knows no classes"
    assert absent.better == "higher"
    assert all(score.value is not None and score.why is None for score in scores.values())


def test_fresh_samples_of_one_distribution_reach_the_floor_and_others_leave_it() -> None:
    real, alike, apart = features(400, 0), features(400, 1), features(400, 2, shift=1.0)
    same, other = card(real, alike), card(real, apart)
    for name in ("precision_tiny", "recall_tiny", "coverage_tiny"):
        assert same[name].ratio == pytest.approx(1.0, abs=0.2), name
    assert same["frechet_tiny"].ratio < 1.0, "halves know less than the whole"  # type: ignore[operator]
    assert other["frechet_tiny"].ratio > 20  # type: ignore[operator]
    assert other["precision_tiny"].ratio < 0.9  # type: ignore[operator]


def test_the_floor_at_the_size_of_the_score_takes_more_real_photos() -> None:
    real, fake, more = features(50, 0), features(50, 1), features(300, 2)
    alone, joined = card(real, fake), card(real, fake, more_real=more)
    assert alone["frechet_tiny"].floor_at_size is None
    half, sized = joined["frechet_tiny"].floor, joined["frechet_tiny"].floor_at_size
    assert half == alone["frechet_tiny"].floor
    assert half is not None
    assert sized is not None
    assert (half.half, sized.half) == (25, 50)
    assert sized.mean < half.mean
    assert joined["frechet_tiny"].nearest_floor == sized
    assert joined["frechet_tiny"].ratio == pytest.approx(
        joined["frechet_tiny"].value / sized.mean  # type: ignore[operator]
    )


def test_no_ratio_to_a_floor_that_is_not_told_apart_from_zero() -> None:
    floor = Floor(0.001, 0.01, 50)
    assert Score("kernel_x", "lower", 0.2, floor=floor).ratio is None
    assert Score("frechet_x", "lower", 0.2, floor=Floor(0.1, 0.01, 50)).ratio == pytest.approx(2.0)
    assert Score("frechet_x", "lower", None, floor=Floor(0.1, 0.01, 50)).ratio is None


def test_a_small_sample_is_told_how_many_would_do() -> None:
    few = card(features(12, 0), features(12, 1))
    many = card(features(2000, 0), features(2000, 1, shift=1.0))
    assert few["frechet_tiny"].enough > 12  # type: ignore[operator]
    assert few["recall_tiny"].enough == 100
    assert many["frechet_tiny"].enough is None
    assert many["recall_tiny"].enough is None


def test_floors_can_be_left_out() -> None:
    scores = card(features(50, 0), features(50, 1), book=None)
    assert all(score.floor is None for score in scores.values())


def test_pairs_that_cannot_be_measured_say_why_and_leave_others_alone() -> None:
    pairs = PairedCard([StructuralSimilarity(), PeakSignalToNoise()])
    real = torch.randint(0, 256, (3, 3, 8, 8), dtype=torch.uint8)
    pairs.update(real, real)
    ssim, psnr = pairs.scores()
    assert ssim.value is None
    assert "11 pixels" in (ssim.why or "")
    assert psnr.value == 100.0
    pairs.reset()
    assert pairs.scores()[1].value is None


def test_floors_of_the_same_photos_are_worked_out_once() -> None:
    measured = []

    class Counting(Frechet):
        def measure(self, real: Tensor, fake: Tensor, extractor: Any) -> Any:
            measured.append(len(real))
            return super().measure(real, fake, extractor)

    book, real = FloorBook([Counting()], TinyExtractor(), 3), features(40, 0)
    first = book.of(real)
    assert book.of(real.clone()) == first == floors([Frechet()], real, TinyExtractor(), seed=3)
    assert len(measured) == 10
    book.of(real, half=7)
    book.of(features(40, 1))
    assert measured == [20] * 10 + [7] * 10 + [20] * 10
