"""The product's brand-GAN step against a plain reference step, and DiffAugment by itself.

``python -m benchmarks.carbrand_step`` prints the tables, from processes of their own: ``... ratio
VARIANT BATCH EVERY`` prints a reference step's seconds and the ratio to it, with a penalty every
so many steps, and ``... reference BATCH`` takes reference steps.
"""

import statistics
import sys
import time
import warnings
from collections.abc import Callable

import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.nn.utils.parametrizations import _SpectralNorm

from benchmarks.beside import STEPS, VARIANTS, Beside, Elsewhere, Times, elsewhere, fit, serve
from benchmarks.carbrand_reference import CarbrandReference, augmented
from carsynth.augment import DiffAugment
from carsynth.cli import CONFIG_DIR
from carsynth.data.batch import CarBatch
from carsynth.data.toycars import ToyCars
from carsynth.modules.latent_gan import LatentGAN

_HERE = "benchmarks.carbrand_step"
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


def reference_of(count: int) -> Callable[[], object]:
    """A step of the reference, from the same weights on the same batch."""
    reference, batch = CarbrandReference(module_of()), batch_of(count)
    return lambda: reference(batch.photo.float() / 127.5 - 1, batch.label)


def ratio(name: str, count: int, every: int) -> Times:
    """The product's pictures a second over the reference's, with a penalty every so many steps."""
    variant = VARIANTS[name]
    words = f"loss.penalties.gradient.every={every}"
    module, batch = module_of(f"compile={variant['compile']}", words), batch_of(count)
    reference = Elsewhere(_HERE, "reference", str(count))
    beside = Beside(reference)
    fit(module, batch, STEPS, variant["precision"], _HoldPowerIterations(), beside)
    reference.close()
    return beside.times()


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

    ratios = [seconds(augmented, pictures) / seconds(ours, pictures) for _ in range(9)]
    return statistics.median(ratios[2:])


def main() -> None:
    """Prints the tables."""
    print("| 128x224, 512 channels | variant | reference s/step | pictures a second |")
    print("| --- | --- | --- | --- |")
    for count in BATCHES:
        for name in VARIANTS:
            seconds, times = elsewhere(_HERE, "ratio", name, str(count), "1")
            print(f"| batch {count} | {name} | {seconds:.2f} | {times:.2f} x |", flush=True)
    seconds, times = elsewhere(_HERE, "ratio", "compiled bf16", "8", "4")
    print(
        f"| batch 8, penalty every 4th step against every step | compiled bf16 | "
        f"{seconds:.2f} | {times:.2f} x |"
    )
    for compiled in (False, True):
        how = "compiled" if compiled else "eager"
        print(f"\nfloat64, three batches, {how}: weights differ by {equality(compiled):.1e}")
    print(
        f"\nDiffAugment forward and backward, batch 32: {augmentation():.2f} x the gathering form"
    )


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    match sys.argv[1:]:
        case ["ratio", name, count, every]:
            print(*ratio(name, int(count), int(every)))
        case ["reference", count]:
            serve(reference_of(int(count)))
        case _:
            main()
