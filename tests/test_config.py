"""Every YAML composes, instantiates, and keeps the keys that people rely on."""

from itertools import product
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from carsynth.cli import CONFIG_DIR
from carsynth.modules.adversarial import AdversarialModule

KEYS = (
    "data.root",
    "data.size",
    "data.batch_size",
    "arch.width",
    "trainer.max_epochs",
    "seed",
    "ckpt_path",
    "init_from",
    "compile",
)


def choices(group: str) -> list[str]:
    names = [path.stem for path in Path(CONFIG_DIR, group).glob("*.yaml")]
    return sorted(name for name in names if not name.startswith("_") and name != "base")


def composed(*overrides: str) -> DictConfig:
    with initialize_config_dir(CONFIG_DIR, version_base="1.3"):
        return compose("train", [*overrides, "run_dir=run", "name=test"])


OF_THE_PIPELINE = {"two_stage", "two_stage_demo"}


@pytest.mark.parametrize("experiment", sorted({*choices("experiment")} - OF_THE_PIPELINE))
def test_every_experiment_has_the_keys_of_the_contract(experiment: str) -> None:
    config = composed(f"+experiment={experiment}")
    for key in KEYS:
        assert OmegaConf.select(config, key, default="missing") != "missing", key


def words_of(arch: str) -> list[str]:
    """What makes an arch small, with the experiment whose loss it takes."""
    if arch.startswith("pix2pixhd"):
        return ["+experiment=pix2pixhd", f"arch={arch}", "arch.blocks=1"]
    loss = "fastgan" if arch == "fastgan" else "hinge"
    experiment = "+experiment=carbrand"
    return [experiment, f"arch={arch}", f"loss={loss}", "data.size=[32,56]", "data.classes=[a,b]"]


@pytest.mark.parametrize("arch", choices("arch"))
def test_every_arch_instantiates_and_its_width_scales_every_network(arch: str) -> None:
    def parameters(width: int) -> dict[str, int]:
        config = composed(*words_of(arch), f"arch.width={width}")
        module = instantiate(config.arch.module)
        assert isinstance(module, AdversarialModule)
        return {
            name: sum(p.numel() for p in network.parameters() if p.ndim == 4)
            for name, network in module.players().items()
        }

    narrow, wide = parameters(8), parameters(16)
    for name in narrow:
        assert wide[name] > 2 * narrow[name]


LATENT_ARCHS = [arch for arch in choices("arch") if not arch.startswith("pix2pixhd")]


@pytest.mark.parametrize(
    ("arch", "loss"), [*product(LATENT_ARCHS, ["bce", "least_squares", "hinge", "wgan"])]
)
def test_every_arch_takes_every_loss_of_whole_pictures(arch: str, loss: str) -> None:
    words = words_of(arch)
    config = composed(*words[:2], f"loss={loss}", *words[3:], "arch.width=8")
    assert isinstance(instantiate(config.arch.module), AdversarialModule)


@pytest.mark.parametrize(("trainer", "metric"), [*product(choices("trainer"), choices("metric"))])
def test_every_trainer_and_metric_composes(trainer: str, metric: str) -> None:
    config = composed("+experiment=pix2pixhd", f"trainer={trainer}", f"metric={metric}")
    assert config.trainer.use_distributed_sampler is False
    instantiate(config.metric)
    if "strategy" in config.trainer:
        instantiate(config.trainer.strategy)


@pytest.mark.parametrize("data", choices("data"))
def test_every_data_set_composes(data: str) -> None:
    config = composed("+experiment=pix2pixhd", f"data={data}", "data.root=folder")
    OmegaConf.to_container(config.datamodule, resolve=True, throw_on_missing=True)


def test_the_brand_gan_is_as_the_seed_documents_it() -> None:
    config = composed("+experiment=carbrand")
    assert list(config.data.size) == [128, 224]
    assert config.data.batch_size == 32
    assert config.loss.adversarial._target_.endswith("Hinge")
    assert config.loss.weights.cosine_similarity == 0.1
    assert config.loss.penalties.gradient.weight > 0
    assert config.arch.latent == [[0, 100], [200, 200], [300, 300]]
    assert (config.arch.d_steps, config.arch.conditional) == (2, True)
    assert config.arch.diffaug.colour
    assert (config.optim.lr, config.optim.lr_d) == (1e-4, 4e-4)
    assert list(config.optim.betas) == [0.5, 0.999]
    assert config.trainer.max_epochs == 400


def test_stage_one_is_as_the_report_documents_it() -> None:
    for experiment, epochs in (("dcgan_deconv", 600), ("dcgan_upsample", 1400)):
        config = composed(f"+experiment={experiment}")
        assert config.loss.adversarial._target_.endswith("BCE")
        assert (config.data.batch_size, config.arch.map_encoding) == (32, "rgb")
        assert (config.optim.lr, config.optim.lr_d, config.optim.betas[0]) == (2e-4, 2e-5, 0.5)
        assert config.arch.latent == [[0, 100]]
        assert (list(config.data.size), config.arch.width) == ([128, 128], 64)
        assert config.trainer.max_epochs == epochs


def test_carvana_is_as_the_seed_documents_it() -> None:
    config = composed("+experiment=pix2pixhd_carvana")
    assert list(config.data.size) == [576, 768]
    assert config.data.batch_size == 1
    assert config.data.fractions[0] == 0.925
    assert config.arch.scales == 2
    assert dict(config.loss.weights) == {
        "adversarial": 1.0,
        "feature_matching": 5.0,
        "perceptual": 5.0,
    }
    assert config.loss.perceptual is not None
    assert (config.optim.lr, list(config.optim.betas)) == (2e-4, [0.5, 0.999])
    assert config.trainer.max_epochs == 28
