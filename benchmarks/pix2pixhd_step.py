"""The product's pix2pixHD step, in a real fit, against the plain reference step beside it.

``python -m benchmarks.pix2pixhd_step`` prints the table, from processes of their own: ``... ratio
VARIANT ROW`` prints a reference step's seconds and the ratio to it, ``... reference ROW`` takes
reference steps, and ``... peak VARIANT ROW`` prints a variant's peak memory in MiB.
"""

import ctypes
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from lightning.pytorch import Callback, Trainer
from torch import Tensor

from benchmarks.beside import (
    STEPS,
    VARIANTS,
    Beside,
    Elsewhere,
    Times,
    elsewhere,
    fit,
    serve,
)
from benchmarks.reference import ReferenceStep
from carsynth.cli import CONFIG_DIR
from carsynth.data.batch import CarBatch
from carsynth.data.toycars import ToyCars
from carsynth.labels import NUM_PARTS
from carsynth.modules.pix2pixhd import Pix2PixHD


class Row(NamedTuple):
    """A setting of the table."""

    size: int
    width: int
    d_width: int
    blocks: int
    batch: int


_WARM_UP = 2
_HERE = "benchmarks.pix2pixhd_step"
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


def reference_inputs(batch: CarBatch, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Condition and photo as the published trainer encodes them at every step."""
    ids = batch.part_map.unsqueeze(1)
    condition = torch.zeros(len(ids), NUM_PARTS, *ids.shape[2:], dtype=dtype).scatter_(1, ids, 1)
    return condition, batch.photo.to(dtype) / 127.5 - 1


def reference_of(row: Row) -> Callable[[], object]:
    """A step of the reference, from the same weights on the same batch."""
    plain = module_of(row)
    step = ReferenceStep(plain.generator, plain.discriminator)  # type: ignore[arg-type]
    batch = batch_of(row)
    return lambda: step(*reference_inputs(batch, torch.float32))


def ratio(name: str, index: int) -> Times:
    """The product's pictures a second over the reference's."""
    variant = VARIANTS[name]
    module, batch = module_of(ROWS[index], variant["compile"]), batch_of(ROWS[index])
    reference = Elsewhere(_HERE, "reference", str(index))
    beside = Beside(reference)
    fit(module, batch, STEPS, variant["precision"], beside)
    reference.close()
    return beside.times()


def equality(row: Row, compiled: bool) -> float:
    """Largest difference of the last losses and all weights after four steps in float64."""
    module = module_of(row, compiled).double()
    plain = module_of(row).double()
    reference = ReferenceStep(plain.generator, plain.discriminator)  # type: ignore[arg-type]
    batch = batch_of(row)
    condition, real = reference_inputs(batch, torch.float64)
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
    if name == "reference":
        take_step = reference_of(row)
        for step in range(_WARM_UP + 3):
            if step == _WARM_UP:
                _forget_peak()
            take_step()
        return _peak_mib()

    class Forget(Callback):
        def on_train_batch_end(self, *arguments: Any) -> None:
            if arguments[-1] == _WARM_UP - 1:
                _forget_peak()

    variant = VARIANTS[name]
    module = module_of(row, variant["compile"])
    fit(module, batch_of(row), _WARM_UP + 3, variant["precision"], Forget())
    return _peak_mib()


def _forget_peak() -> None:
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")


def _peak_mib() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("this system does not tell a process's peak memory")


def main() -> None:
    """Prints the table row by row, as it is measured."""
    print("| setting | step | reference s/step | pictures a second | peak memory |", flush=True)
    print("| --- | --- | --- | --- | --- |", flush=True)
    for index, row in enumerate(ROWS):
        (base,) = elsewhere(_HERE, "peak", "reference", str(index))
        for name in VARIANTS:
            seconds, times = elsewhere(_HERE, "ratio", name, str(index))
            (memory,) = elsewhere(_HERE, "peak", name, str(index))
            setting = (
                f"{row.size}x{row.size}, width {row.width} (D {row.d_width}), "
                f"{row.blocks} blocks, batch {row.batch}"
            )
            print(
                f"| {setting} | {name} | {seconds:.2f} | {times:.2f} x | {memory / base:.2f} x |",
                flush=True,
            )
    small = Row(64, 32, 64, 1, 8)  # both wide enough for their short cuts
    for compiled in (False, True):
        worst = equality(small, compiled)
        print(
            f"float64, four steps, compiled={compiled}: largest difference {worst:.1e}", flush=True
        )


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    match sys.argv[1:]:
        case ["peak", name, index]:
            print(peak(name, ROWS[int(index)]))
        case ["ratio", name, index]:
            print(*ratio(name, int(index)))
        case ["reference", index]:
            serve(reference_of(ROWS[int(index)]))
        case _:
            main()
