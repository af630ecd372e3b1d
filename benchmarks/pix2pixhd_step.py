"""The product's pix2pixHD step, in a real fit, against the plain reference step beside it.

``python -m benchmarks.pix2pixhd_step`` prints the table; ``... peak VARIANT ROW`` prints one
variant's peak memory in MiB, and is run in processes of its own.
"""

import ctypes
import statistics
import subprocess
import sys
import warnings
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from lightning.pytorch import Callback, Trainer
from torch import Tensor

from benchmarks.beside import ROUNDS, VARIANTS, WARM_UP, Beside, fit
from benchmarks.reference import ReferenceStep
from carsynth.cli import CONFIG_DIR
from carsynth.data.batch import CarBatch
from carsynth.data.toycars import ToyCars
from carsynth.modules.pix2pixhd import Pix2PixHD


class Row(NamedTuple):
    """A setting of the table."""

    size: int
    width: int
    d_width: int
    blocks: int
    batch: int


ROWS = (Row(128, 32, 32, 4, 8), Row(256, 32, 64, 9, 4))


def module_of(row: Row, compiled: bool = False) -> Pix2PixHD:
    """The module as ``+experiment=pix2pixhd`` makes it, with equal weights at every call."""
    torch.manual_seed(0)
    overrides = [
        "+experiment=pix2pixhd",
        f"arch.width={row.width}",
        f"arch.blocks={row.blocks}",
        f"arch.module.discriminator.width={row.d_width}",
        f"compile={compiled}",
    ]
    with initialize_config_dir(CONFIG_DIR, version_base="1.3"):
        config = compose("train", overrides)
    module: Pix2PixHD = instantiate(config.arch.module)
    module._scheduler_factory = None  # the reference's rates are constant
    return module


def batch_of(row: Row) -> CarBatch:
    """Drawn cars, the same at every call."""
    cars = ToyCars(row.batch, seed=1)
    samples = [cars.read(index, (row.size, row.size)) for index in range(row.batch)]
    photos = torch.stack([torch.from_numpy(s.photo) for s in samples]).permute(0, 3, 1, 2)
    maps = torch.stack([torch.from_numpy(s.part_map) for s in samples]).long()
    return CarBatch(photos.contiguous(), maps, torch.zeros(row.batch, dtype=torch.int64))


def reference_inputs(module: Pix2PixHD, batch: CarBatch) -> tuple[Tensor, Tensor]:
    """Condition and photo as the reference wants them: contiguous."""
    condition = module.condition_of(batch.part_map).contiguous()
    return condition, batch.photo.to(condition.dtype) / 127.5 - 1


def ratio(row: Row, name: str) -> tuple[float, float]:
    """Median reference seconds a step, and how many times the reference's pictures a second."""
    variant = VARIANTS[name]
    module, batch = module_of(row, variant["compile"]), batch_of(row)
    plain = module_of(row)
    reference = ReferenceStep(plain.generator, plain.discriminator)  # type: ignore[arg-type]
    beside = Beside(partial(reference, *reference_inputs(plain, batch)))
    fit(module, batch, WARM_UP + ROUNDS, variant["precision"], beside)
    ours, theirs = beside.ours[WARM_UP:], beside.theirs[WARM_UP:]
    ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
    return statistics.median(theirs), statistics.median(ratios)


def equality(row: Row, compiled: bool) -> float:
    """Largest difference of the last losses and all weights after four steps in float64."""
    module = module_of(row, compiled).double()
    plain = module_of(row).double()
    reference = ReferenceStep(plain.generator, plain.discriminator)  # type: ignore[arg-type]
    batch = batch_of(row)
    condition, real = reference_inputs(module, batch)
    losses: list[Tensor] = []

    class Collect(Callback):
        def on_train_batch_end(self, trainer: Trainer, *arguments: Any) -> None:
            names = ("d_adversarial", "g_adversarial", "g_feature_matching")
            losses.append(torch.stack([module.last_terms[name] for name in names]))

    fit(module, batch, 4, "64-true", Collect())
    worst = 0.0
    for ours in losses:
        theirs = torch.stack(reference(condition, real))
        worst = max(worst, float((ours - theirs).abs().max()))
    for network, weights in (
        (module.generator, reference.generator),
        (module.discriminator, reference.discriminator),
    ):
        for name, parameter in network.named_parameters():
            worst = max(worst, float((parameter - weights[name]).abs().max()))
    return worst


def peak(name: str, row: Row) -> float:
    """Peak resident MiB of three steps after two that warm up, of this process."""
    batch = batch_of(row)
    if name == "reference":
        plain = module_of(row)
        reference = ReferenceStep(plain.generator, plain.discriminator)  # type: ignore[arg-type]
        inputs = reference_inputs(plain, batch)
        del plain
        for step in range(WARM_UP + 3):
            if step == WARM_UP:
                _forget_peak()
            reference(*inputs)
        return _peak_mib()

    class Forget(Callback):
        def on_train_batch_end(self, *arguments: Any) -> None:
            if arguments[-1] == WARM_UP - 1:
                _forget_peak()

    variant = VARIANTS[name]
    module = module_of(row, variant["compile"])
    fit(module, batch, WARM_UP + 3, variant["precision"], Forget())
    return _peak_mib()


def _forget_peak() -> None:
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")


def _peak_mib() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("this system does not tell a process's peak memory")


def _peak_elsewhere(name: str, index: int) -> float:
    command = [sys.executable, "-m", "benchmarks.pix2pixhd_step", "peak", name, str(index)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def main() -> None:
    """Prints the table row by row, as it is measured."""
    print("| setting | step | reference s/step | pictures a second | peak memory |", flush=True)
    print("| --- | --- | --- | --- | --- |", flush=True)
    for index, row in enumerate(ROWS):
        base = _peak_elsewhere("reference", index)
        for name in VARIANTS:
            seconds, times = ratio(row, name)
            memory = _peak_elsewhere(name, index) / base
            setting = (
                f"{row.size}x{row.size}, width {row.width} (D {row.d_width}), "
                f"{row.blocks} blocks, batch {row.batch}"
            )
            print(
                f"| {setting} | {name} | {seconds:.2f} | {times:.2f} x | {memory:.2f} x |",
                flush=True,
            )
    small = Row(64, 8, 8, 2, 2)
    for compiled in (False, True):
        worst = equality(small, compiled)
        print(
            f"float64, four steps, compiled={compiled}: largest difference {worst:.1e}", flush=True
        )


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    if sys.argv[1:2] == ["peak"]:
        print(peak(sys.argv[2], ROWS[int(sys.argv[3])]))
    else:
        main()
