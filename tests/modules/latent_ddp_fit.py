"""Run by test_latent_ddp.py in processes of its own: two ranks train one small model."""

import os
import sys
from pathlib import Path

import torch
from torch import Tensor

from carsynth.data.toycars import ToyCars
from carsynth.modules.strategy import PlayerDDPStrategy
from tests.modules.latent_runs import data_of, fit, module_of

SIZE = (32, 32)
MAPS = ("data.size=[32,32]", "arch.latent=6", "optim.accumulate=2")


def cars() -> ToyCars:
    """Of which 17 are trained on, so that one rank has a map more than the other."""
    return ToyCars(21, seed=1)


def carbrand(folder: Path, rank: int) -> None:
    data = data_of(batch_size=2)
    words = (
        "data.size=[32,56]",
        "arch.latent=[[0,6],[1,12]]",
        "arch.adaptive_target=-0.9",
        "loss=least_squares",
    )
    words = (
        *words,
        "arch.adaptive_photos=50",
        "loss.weights.auxiliary=0.5",
        "arch.head=projection",
    )
    module = module_of("carbrand", *words, classes=data.classes)
    latents: list[Tensor] = []
    draw = module._latents
    module._latents = lambda like: latents.append(draw(like)) or latents[-1]  # type: ignore[func-returns-value]
    strategy = PlayerDDPStrategy(process_group_backend="gloo")
    fit(module, data, folder, 2, devices=2, strategy=strategy)
    shown = module.generator_ema.module(
        torch.ones(2, 12), torch.tensor([0, 1])
    )  # statistics and weights together
    torch.save(
        {"weights": module.state_dict(), "latents": latents, "seen": module.seen, "shown": shown},
        folder / f"rank{rank}.pt",
    )


def map_vae(folder: Path, rank: int) -> None:
    module, noises = module_of("map_vae", *MAPS), []
    module.generator.register_forward_hook(lambda _, given, __: noises.append(given[1]))
    fit(
        module,
        data_of(cars(), SIZE, batch_size=2),
        folder,
        2,
        devices=2,
        strategy=PlayerDDPStrategy(process_group_backend="gloo"),
        limit_val_batches=1.0,
    )
    stored = {"weights": module.state_dict(), "latents": noises, "seen": module.seen}
    torch.save(stored, folder / f"rank{rank}.pt")


if __name__ == "__main__":
    run = {"carbrand": carbrand, "map_vae": map_vae}[sys.argv[2]]
    run(Path(sys.argv[1]), int(os.environ.get("LOCAL_RANK", 0)))
    torch.distributed.destroy_process_group()
