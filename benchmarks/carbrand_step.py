"""The product's brand-GAN step against a plain reference step, and DiffAugment by itself."""

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.nn.utils.parametrizations import _SpectralNorm

from benchmarks.beside import ROUNDS, VARIANTS, WARM_UP, Beside, Times, fit
from benchmarks.carbrand_reference import CarbrandReference, augmented
from carsynth.augment import DiffAugment
from carsynth.cli import CONFIG_DIR
from carsynth.data.batch import CarBatch
from carsynth.data.toycars import ToyCars
from carsynth.modules.latent_gan import LatentGAN

SIZE = (128, 224)
BATCHES = (8, 32)


class _HoldPowerIterations(Callback):
    """Spectral norm keeps its vectors, as the reference's does."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for module in pl_module.modules():
            if isinstance(module, _SpectralNorm):
                module.eval()


def module_of(*words: str) -> LatentGAN:
    """The module as ``+experiment=carbrand`` makes it, with equal weights at every call."""
    torch.manual_seed(0)
    with initialize_config_dir(CONFIG_DIR, version_base="1.3"):
        config = compose("train", ["+experiment=carbrand", *words])
    config.data.classes = list(ToyCars(1).classes)
    module: LatentGAN = instantiate(config.arch.module)
    return module


def batch_of(count: int, size: tuple[int, int] = SIZE) -> CarBatch:
    """Drawn cars, the same at every call."""
    cars = ToyCars(count, seed=1)
    samples = [cars.read(index, size) for index in range(count)]
    photos = torch.stack([torch.from_numpy(s.photo) for s in samples]).permute(0, 3, 1, 2)
    maps = torch.stack([torch.from_numpy(s.part_map) for s in samples]).long()
    labels = torch.tensor([s.label for s in samples])
    return CarBatch(photos.contiguous(), maps, labels)


def ratio(count: int, name: str, every: int = 1) -> Times:
    """The product's pictures a second over the reference's."""
    torch._dynamo.reset()
    variant = VARIANTS[name]
    words = f"loss.penalties.gradient.every={every}"
    module, batch = module_of(f"compile={variant['compile']}", words), batch_of(count)
    reference = CarbrandReference(module_of())
    real = batch.photo.float() / 127.5 - 1
    beside = Beside(partial(reference, real, batch.label))
    rounds = WARM_UP + ROUNDS + (every - 1) % 4
    fit(module, batch, rounds, variant["precision"], _HoldPowerIterations(), beside)
    ours, theirs = beside.ours[WARM_UP:], beside.theirs[WARM_UP:]
    if every > 1:  # steps differ from each other: compare their sums
        return Times(statistics.median(theirs), sum(theirs) / sum(ours))
    ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
    return Times(statistics.median(theirs), statistics.median(ratios))


def equality(compiled: bool) -> float:
    """Largest difference of all weights after three batches in float64."""
    size = (32, 56)
    # Random numbers fill tensors of another layout in another order: no noise on D's input.
    words = [f"data.size=[{size[0]},{size[1]}]", "arch.width=8", "arch.input_noise=0"]
    module = module_of(*words, f"compile={compiled}").double()
    reference = CarbrandReference(module_of(*words).double())
    batch = batch_of(4, size)
    # Inductor has random numbers of its own unless it is told to draw as eager code does.
    with torch._inductor.config.patch(fallback_random=True):
        fit(module, batch, 3, "64-true", _HoldPowerIterations())
    for _ in range(3):
        reference((batch.photo.float() / 127.5 - 1).double(), batch.label)
    worst = 0.0
    for network, weights in (
        (module.generator, reference.generator),
        (module.discriminator, reference.discriminator),
    ):
        for name, parameter in network.named_parameters():
            worst = max(worst, float((parameter - weights[name]).abs().max()))
    return worst


def augmentation(count: int = 32) -> float:
    """DiffAugment forward and backward: how many times the gathering form's pictures a second."""
    ours, pictures = DiffAugment(), torch.rand(count, 3, *SIZE) * 2 - 1

    def seconds(change: Callable[[Tensor], Tensor], x: Tensor) -> float:
        x = x.detach().requires_grad_()
        began = time.perf_counter()
        change(x).square().sum().backward()  # type: ignore[no-untyped-call]
        return time.perf_counter() - began

    ratios = [
        seconds(augmented, pictures) / seconds(ours, pictures) for _ in range(WARM_UP + ROUNDS)
    ]
    return statistics.median(ratios[WARM_UP:])


def main() -> None:
    """Prints the tables."""
    print("| 128x224, 512 channels | variant | reference s/step | pictures a second |")
    print("| --- | --- | --- | --- |")
    for count in BATCHES:
        for name in VARIANTS:
            times = ratio(count, name)
            row: list[Any] = [f"batch {count}", name, f"{times.reference:.2f}"]
            print("| " + " | ".join([*row, f"{times.ratio:.2f} x |"]), flush=True)
    times = ratio(8, "compiled bf16", every=4)
    print(
        f"| batch 8, penalty every 4th step against every step | compiled bf16 | "
        f"{times.reference:.2f} | {times.ratio:.2f} x |"
    )
    for compiled in (False, True):
        how = "compiled" if compiled else "eager"
        print(f"\nfloat64, three batches, {how}: weights differ by {equality(compiled):.1e}")
    print(
        f"\nDiffAugment forward and backward, batch 32: {augmentation():.2f} x the gathering form"
    )


if __name__ == "__main__":
    main()
