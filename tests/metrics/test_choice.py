import logging
from pathlib import Path

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from carsynth.errors import UserError
from carsynth.metrics import choice
from carsynth.metrics.choice import AutoMetric, FidMetric, RandomInceptionMetric

CONF = Path(__file__).parents[2] / "conf" / "metric"


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(weights_path: str | None = None) -> str:
        raise UserError("inception.pth is missing; set metric.weights_path=FILE")

    monkeypatch.setattr(choice, "fetch_fid_weights", fetch)


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "fetch_fid_weights", lambda weights_path=None: "inception.pth")


@pytest.mark.usefixtures("offline")
def test_auto_falls_back_and_says_so_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert AutoMetric().settle().name == "frechet_random_inception"
    (line,) = caplog.messages
    assert "val/frechet_random_inception" in line
    assert "metric.weights_path=FILE" in line
    assert "\n" not in line


@pytest.mark.usefixtures("online")
def test_auto_takes_fid_where_it_can() -> None:
    assert AutoMetric().settle().name == "fid"


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("asked", [FidMetric(), AutoMetric(weights_path="mine.pth")])
def test_fid_that_was_asked_for_is_not_replaced(asked: FidMetric | AutoMetric) -> None:
    with pytest.raises(UserError, match=r"metric\.weights_path=FILE"):
        asked.settle()


def test_the_stand_in_is_never_called_fid() -> None:
    settled = RandomInceptionMetric().settle()
    assert "fid" not in settled.name
    assert settled.build().num_features == 768


@pytest.mark.parametrize(
    ("name", "kind"),
    [("auto", AutoMetric), ("fid", FidMetric), ("random_inception", RandomInceptionMetric)],
)
def test_each_config_names_its_class(name: str, kind: type) -> None:
    assert isinstance(instantiate(OmegaConf.load(CONF / f"{name}.yaml")), kind)


def test_no_other_configs_than_these() -> None:
    assert {path.stem for path in CONF.glob("*.yaml")} == {"auto", "fid", "random_inception"}
