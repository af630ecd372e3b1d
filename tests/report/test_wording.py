import pytest

from carsynth.report.wording import (
    Trained,
    duration,
    number,
    spread,
    stage_in,
    trained_stage,
)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "-"), (12345, "12,345"), (0.123456, "0.1235"), (123456.7, "123,457"), (9.0, "9")],
)
def test_numbers(value: float | None, shown: str) -> None:
    assert number(value) == shown


def test_spreads() -> None:
    assert spread(926.23, 123.4) == "926.2 ± 123"
    assert spread(0.5, None) == "0.5"
    assert spread(None, 0.1) == "-"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "-"),
        (9.06, "9.1 s"),
        (59.96, "1 min 0 s"),
        (119.7, "2 min 0 s"),
        (3599.8, "1 h 0 min"),
        (7325.0, "2 h 2 min"),
    ],
)
def test_durations(seconds: float | None, shown: str) -> None:
    assert duration(seconds) == shown


def test_stages_by_their_folders() -> None:
    assert trained_stage("photos_scratch") == Trained("photos_scratch", None)
    assert trained_stage("maps_25") == Trained("maps", 25)
    for other in ("maps_before_1", "photos_25_before_2", "data", "generated", "maps_x"):
        assert trained_stage(other) is None
    assert Trained("photos", None).title(True) == "Photos with pre-training"
    assert Trained("photos", 25).title(False) == "Photos, 25 labelled pictures"
    assert stage_in("/photos/of/maps_25/run/checkpoints/best.ckpt") == "maps_25"
    assert stage_in("/elsewhere/run") is None
