import logging
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig

from carsynth.cli import CONFIG_DIR
from carsynth.errors import UserError
from carsynth.metrics import choice
from carsynth.metrics.choice import AutoMetric, BackboneMetric, FidMetric, RandomInceptionMetric
from carsynth.metrics.figure import full_name


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
        assert isinstance(AutoMetric().settle(), RandomInceptionMetric)
    (line,) = caplog.messages
    assert "val/frechet_random_inception" in line
    assert "metric.weights_path=FILE" in line
    assert "\n" not in line


@pytest.mark.usefixtures("online")
def test_auto_takes_fid_where_it_can() -> None:
    assert isinstance(AutoMetric().settle(), FidMetric)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("asked", [FidMetric(), AutoMetric(weights_path="mine.pth")])
def test_fid_that_was_asked_for_is_not_replaced(asked: FidMetric | AutoMetric) -> None:
    with pytest.raises(UserError, match=r"metric\.weights_path=FILE"):
        asked.settle()


def test_the_stand_in_is_never_called_fid() -> None:
    extractor = RandomInceptionMetric().settle().build()
    assert full_name("frechet", extractor.name) == "frechet_random_inception"
    assert full_name("kernel", extractor.name) == "kernel_random_inception"
    assert extractor.num_features == 768


def test_published_names_belong_to_the_published_network() -> None:
    assert full_name("frechet", "inception") == "fid"
    assert full_name("kernel", "inception") == "kid"
    assert full_name("precision", "inception") == "precision_inception"


def composed(*words: str) -> DictConfig:
    with initialize_config_dir(CONFIG_DIR, version_base="1.3"):
        return compose("evaluate", overrides=list(words), return_hydra_config=False)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("auto", AutoMetric),
        ("fid", FidMetric),
        ("random_inception", RandomInceptionMetric),
        ("backbone", BackboneMetric),
    ],
)
def test_each_config_names_its_class(name: str, kind: type) -> None:
    metric = composed(f"metric={name}").metric
    assert isinstance(instantiate(metric.extractor), kind)
    figures = [instantiate(node) for node in metric.figures.values()]
    measured = {name for figure in figures for name in figure.better}
    assert measured == {
        "kernel", "precision", "recall", "density", "coverage", "inception_score"
    }  # fmt: skip
    paired = [instantiate(node) for node in metric.paired.values()]
    assert {figure.name for figure in paired} == {"ssim", "psnr", "lpips"}


def test_weights_and_figures_are_chosen_in_the_config() -> None:
    metric = composed("metric=fid", "metric.weights_path=mine.pth", "metric/figures=none").metric
    assert metric.extractor.weights_path == "mine.pth"
    assert not metric.figures


def test_no_other_configs_than_these() -> None:
    names = {path.stem for path in (Path(CONFIG_DIR) / "metric").glob("*.yaml")}
    assert names == {"_common", "auto", "fid", "random_inception", "backbone"}
