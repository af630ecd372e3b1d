from functools import partial
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader

from carsynth.data.batch import CarBatch
from carsynth.errors import UserError
from carsynth.labels import NUM_PARTS, PART_ID
from carsynth.modules.segmenter import Segmenter, warm_then_cosine
from carsynth.networks.segmenter import TorchvisionSegmenter
from carsynth.networks.unet import CompactUNet

PARTS_SHOWN = ("background", "hood", "wheel", "left_mirror")


def segmenter(network: nn.Module, lr: float = 1e-2, rarity: float = 0.35) -> Segmenter:
    return Segmenter(
        network,
        optimizer=partial(torch.optim.AdamW, lr=lr),
        scheduler=warm_then_cosine,
        rarity=rarity,
    )


def batch(seed: int, height: int = 32, width: int = 48) -> CarBatch:
    """Squares whose grey tells their part."""
    generator = torch.Generator().manual_seed(seed)
    kinds = torch.randint(0, len(PARTS_SHOWN), (4, height // 8, width // 8), generator=generator)
    kinds = kinds.repeat_interleave(8, 1).repeat_interleave(8, 2)
    part_map = torch.tensor([PART_ID[name] for name in PARTS_SHOWN])[kinds]
    photo = (kinds * 60 + torch.randint(0, 20, kinds.shape, generator=generator)).to(torch.uint8)
    return CarBatch(photo[:, None].repeat(1, 3, 1, 1), part_map, torch.zeros(4, dtype=torch.int64))


def fit(module: Segmenter, steps: int, precision: str = "32-true") -> Trainer:
    trainer = Trainer(
        accelerator="cpu",
        devices=1,
        precision=precision,  # type: ignore[arg-type]
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    batches: Any = [[batch(seed)] for seed in range(steps)]
    trainer.fit(module, DataLoader(batches, batch_size=None))
    return trainer


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_it_learns_parts_that_it_can_see(precision: str) -> None:
    torch.manual_seed(0)
    module = segmenter(CompactUNet(3, NUM_PARTS, width=8, levels=2))
    trainer = fit(module, 120, precision)
    assert trainer.global_step == 120
    unseen = batch(1000)
    module.eval()
    with torch.no_grad():
        predicted = module.predict_step(unseen, 0)
    assert predicted.dtype == torch.uint8
    assert (predicted == unseen.part_map).float().mean() > 0.95


def test_the_loss_weighs_a_part_by_the_power_of_its_share() -> None:
    module = segmenter(CompactUNet(3, NUM_PARTS, width=4, levels=1), rarity=0.5)
    pixels = torch.zeros(NUM_PARTS, dtype=torch.int64)
    pixels[0], pixels[PART_ID["hood"]] = 75, 25
    module.pixels += pixels
    weights = module.part_weights()
    assert weights[PART_ID["hood"]] / weights[0] == pytest.approx(3**0.5)
    # A part that was never seen weighs as one of a ten thousandth.
    assert weights[PART_ID["trunk"]] == pytest.approx(100.0)

    class Fixed(nn.Module):
        def forward(self, photo: Tensor) -> Tensor:
            logits = torch.zeros(len(photo), NUM_PARTS, *photo.shape[2:])
            logits[:, 0] = 2.0
            return logits

    module = segmenter(Fixed(), rarity=0.5)
    part_map = torch.zeros(1, 10, 10, dtype=torch.int64)
    part_map[0, :5, :5] = PART_ID["hood"]
    photo = torch.zeros(1, 3, 10, 10, dtype=torch.uint8)
    loss = module.training_step([CarBatch(photo, part_map, torch.zeros(1))], 0)
    total = torch.logsumexp(torch.tensor([2.0] + [0.0] * (NUM_PARTS - 1)), 0)
    expected = (75 * (total - 2.0) + 25 * 3**0.5 * total) / (75 + 25 * 3**0.5)
    assert loss == pytest.approx(float(expected), rel=1e-5)


def test_sources_are_normalised_apart_and_tested_by_the_averages_of_the_first() -> None:
    torch.manual_seed(0)
    first, dark = batch(0), batch(1)
    dark = dark._replace(photo=dark.photo // 8)
    alone, both = (
        segmenter(CompactUNet(3, NUM_PARTS, width=4, levels=1)),
        segmenter(CompactUNet(3, NUM_PARTS, width=4, levels=1)),
    )
    both.load_state_dict(alone.state_dict())
    loss = alone.training_step([first], 0)
    of_both = both.training_step([first, dark], 0)
    averages = [name for name in alone.state_dict() if "running" in name]
    assert averages
    for name in averages:
        assert torch.equal(alone.state_dict()[name], both.state_dict()[name])
    assert {m.momentum for m in both.modules() if isinstance(m, nn.BatchNorm2d)} == {0.1}
    # Each source's logits are those that it has by itself.
    with torch.no_grad():
        apart = [alone(one.photo) for one in (first, dark)]
        together = alone(torch.cat([first.photo, dark.photo])).split(4)
    weight = both.part_weights()
    expected = nn.functional.cross_entropy(
        torch.cat(apart), torch.cat([first.part_map, dark.part_map]), weight=weight
    )
    torch.testing.assert_close(of_both, expected)
    assert not torch.allclose(apart[1], together[1], atol=1e-2)
    of_both.backward()
    assert not torch.equal(loss, of_both)


@pytest.mark.parametrize("steps", [1, 2, 10, 40])
def test_the_rate_rises_to_its_own_value_and_falls(steps: int) -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=2.0)
    schedule = warm_then_cosine(optimizer, total_steps=steps)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert max(rates) == pytest.approx(2.0)
    assert min(rates) > 0
    if steps == 40:
        assert rates[:4] == pytest.approx([0.5, 1.0, 1.5, 2.0])
        assert rates[22] == pytest.approx(1.0)  # half-way down, 18 of 36 steps
        assert rates[4:] == sorted(rates[4:], reverse=True)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.0 if steps > 1 else 2.0)


@pytest.mark.parametrize(
    "network",
    [
        CompactUNet(3, NUM_PARTS, width=4, levels=2, patch=1),
        CompactUNet(3, NUM_PARTS, width=4, levels=3),
        TorchvisionSegmenter("lraspp_mobilenet_v3_large"),
        TorchvisionSegmenter("deeplabv3", "resnet18", "layer2"),
        TorchvisionSegmenter("fcn", "mobilenet_v3_small", "features.8"),
    ],
    ids=["unet", "unet of squares", "lraspp", "deeplabv3 on resnet18", "fcn on mobilenet"],
)
def test_every_network_gives_logits_of_every_pixel_and_trains(network: nn.Module) -> None:
    module = segmenter(network)
    module.check_size(32, 48)
    assert all(part.training for part in network.modules())
    before = [p.clone() for p in module.parameters()]
    fit(module, 2)
    moved = [not torch.equal(p, q) for p, q in zip(module.parameters(), before, strict=True)]
    assert sum(moved) > 0.9 * len(moved)
    assert module(batch(0).photo).shape == (4, NUM_PARTS, 32, 48)


def test_what_torchvision_lacks_is_named() -> None:
    with pytest.raises(UserError, match=r"unet is unknown.*fcn_resnet50"):
        TorchvisionSegmenter("unet")
    with pytest.raises(UserError, match="takes no backbone"):
        TorchvisionSegmenter("lraspp", "resnet18", "layer2")
    with pytest.raises(UserError, match="resnet7 is unknown"):
        TorchvisionSegmenter("fcn", "resnet7", "layer2")
    with pytest.raises(UserError, match=r"needs segmenter.layer.*layer2"):
        TorchvisionSegmenter("fcn", "resnet18")
    with pytest.raises(UserError, match=r"is no layer of resnet18.*layer2"):
        TorchvisionSegmenter("fcn", "resnet18", "layer9")
    with pytest.raises(UserError, match="name an earlier layer"):
        TorchvisionSegmenter("fcn", "resnet18", "fc")


def test_a_size_that_does_not_fit_is_said_before_training() -> None:
    with pytest.raises(UserError, match="multiples of 16"):
        segmenter(CompactUNet(3, NUM_PARTS, width=4, levels=3)).check_size(60, 64)
    with pytest.raises(UserError, match=r"16x16 does not fit fcn on vgg11.features"):
        segmenter(TorchvisionSegmenter("fcn", "vgg11", "features")).check_size(16, 16)
