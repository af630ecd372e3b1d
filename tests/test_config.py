"""Every YAML composes, instantiates, and keeps the keys that people rely on."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from lightning.pytorch import Trainer
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf

from carsynth.cli import CONFIG_DIR
from carsynth.data.batch import CarSample
from carsynth.data.toycars import ToyCars
from carsynth.data.transforms import Augmentation
from carsynth.labels import BACKGROUND, BODY, PALETTE, PART_TWINS
from carsynth.modules.generative import GenerativeModule
from carsynth.modules.map_autoencoder import MapVAE
from carsynth.networks.pix2pixhd import ColourEncoder
from carsynth.networks.unet import UNetGenerator

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
    if arch == "map_vae":
        return ["+experiment=map_vae", "data.size=[32,56]"]
    if arch.startswith("pix2pixhd"):
        blocks = [] if arch == "pix2pixhd_unet" else ["arch.blocks=1"]
        return ["+experiment=pix2pixhd", f"arch={arch}", *blocks]
    loss = "fastgan" if arch == "fastgan" else "hinge"
    experiment = "+experiment=carbrand"
    return [experiment, f"arch={arch}", f"loss={loss}", "data.size=[32,56]", "data.classes=[a,b]"]


@pytest.mark.parametrize("arch", choices("arch"))
def test_every_arch_instantiates_and_its_width_scales_every_network(arch: str) -> None:
    def parameters(width: int) -> dict[str, int]:
        config = composed(*words_of(arch), f"arch.width={width}")
        module = instantiate(config.arch.module)
        assert isinstance(module, GenerativeModule)
        return {
            name: sum(p.numel() for p in network.parameters() if p.ndim == 4)
            for name, network in module.players().items()
        }

    narrow, wide = parameters(8), parameters(16)
    for name in narrow:
        assert wide[name] > 2 * narrow[name]


LATENT_ARCHS = [a for a in choices("arch") if not a.startswith("pix2pixhd") and a != "map_vae"]


@pytest.mark.parametrize(
    ("arch", "loss"), [*product(LATENT_ARCHS, ["bce", "least_squares", "hinge", "wgan"])]
)
def test_every_arch_takes_every_loss_of_whole_pictures(arch: str, loss: str) -> None:
    words = words_of(arch)
    config = composed(*words[:2], f"loss={loss}", *words[3:], "arch.width=8")
    assert isinstance(instantiate(config.arch.module), GenerativeModule)


def test_part_maps_are_autoencoded_as_the_experiment_says() -> None:
    config = composed("+experiment=map_vae", "data.size=[64,96]", "seed=7", "arch.neighbours=3")
    assert dict(config.loss.weights) == {"reconstruction": 1.0, "divergence": 1.0}
    assert "part_statistics" in config.callbacks
    module = instantiate(config.arch.module)
    assert isinstance(module, MapVAE)
    assert module.picture_size == (64, 96)
    (optimizer,), _ = _optimizers(module)
    assert optimizer.defaults["lr"] == 1.5e-3
    assert list(optimizer.defaults["betas"]) == [0.9, 0.999]
    module.codes.fit(torch.randn(9, 64))
    assert module.codes.nearest.shape == (9, 3)


def _optimizers(module: GenerativeModule) -> Any:
    module.trainer = Trainer(max_epochs=10, logger=False, enable_checkpointing=False)
    return module.configure_optimizers()


def test_photos_are_painted_by_a_u_net_as_the_experiment_says() -> None:
    config = composed("+experiment=pix2pixhd_unet", "arch.width=8")
    module = instantiate(config.arch.module)
    assert isinstance(module.generator, UNetGenerator)
    assert isinstance(module.encoder, ColourEncoder)
    assert module.generator.body.head.in_channels == 8
    assert module.discriminator.scales[0].first.out_channels == 6
    assert module._distances.keys() == {"reconstruction"}
    module.check_size(64, 64)
    others = composed("+experiment=pix2pixhd", "arch.width=8", "arch.blocks=1")
    assert not instantiate(others.arch.module)._distances


# Augmentation -----------------------------------------------------------------------------------

CARS = ToyCars(4, seed=1, label="view")


def augmented(name: str, sample: CarSample, count: int) -> list[CarSample]:
    config = composed("+experiment=pix2pixhd", f"augment={name}")
    augmentation = Augmentation(instantiate(config.augment), CARS.class_twins, seed=0)
    return [augmentation(sample, 0, index) for index in range(count)]


def away_from_borders(part_map: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Pixels within two of which there is no other part; photos are blended at borders."""
    inside = np.ones(part_map.shape, bool)
    for rows in range(-2, 3):
        for columns in range(-2, 3):
            inside &= np.roll(part_map, (rows, columns), (0, 1)) == part_map
    return inside


@pytest.mark.parametrize("augment", choices("augment"))
def test_every_augmentation_moves_photo_and_map_together(augment: str) -> None:
    sample = CARS.read(0, (64, 96))
    known = {*np.unique(sample.part_map), *np.unique(PART_TWINS[sample.part_map]), BACKGROUND}
    # A photo that shows each part in its colour: after a mirror, in that of its twin.
    told = sample._replace(photo=PALETTE[sample.part_map])
    mirrored = 0
    for out in augmented(augment, told, 30):
        assert out.part_map.dtype == np.uint8
        assert {*np.unique(out.part_map)} <= known
        mirrored += out.label != sample.label
        shown = out.part_map if out.label == sample.label else PART_TWINS[out.part_map]
        inside = away_from_borders(shown)
        assert inside.mean() > 0.5
        assert {*np.unique(shown[inside])} > {BACKGROUND}
        away = np.abs(out.photo[inside].astype(int) - PALETTE[shown[inside]])
        assert away.max() <= 2
    assert (0 < mirrored < 30) == (augment != "none")


def test_framing_moves_cars_a_little_and_lets_background_in() -> None:
    full = CarSample(np.full((64, 96, 3), 255, np.uint8), np.full((64, 96), BODY, np.uint8), 0)
    shares = []
    for out in augmented("framing", full, 60):
        assert {*np.unique(out.part_map)} <= {BACKGROUND, BODY}
        came_in = (out.part_map == BACKGROUND) & away_from_borders(out.part_map)
        assert not out.photo[came_in].any()
        shares.append(float((out.part_map == BACKGROUND).mean()))
    assert max(shares) > 0.15  # a small car that is moved aside
    assert max(shares) < 0.35
    assert min(shares) < 0.05  # a large one in the middle
    cars = augmented("framing", CARS.read(1, (64, 96)), 30)
    assert len({one.part_map.tobytes() for one in cars}) == 30


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
        "reconstruction": 0.0,
    }
    assert config.loss.perceptual is not None
    assert (config.optim.lr, list(config.optim.betas)) == (2e-4, [0.5, 0.999])
    assert config.trainer.max_epochs == 28
