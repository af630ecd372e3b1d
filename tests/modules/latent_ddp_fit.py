"""Run by test_latent_ddp.py in processes of its own: two ranks train one small carbrand GAN."""

import os
import sys
from pathlib import Path

import torch
from torch import Tensor

from carsynth.modules.strategy import PlayerDDPStrategy
from tests.modules.latent_runs import data_of, fit, module_of


def main(folder: Path) -> None:
    rank = int(os.environ.get("LOCAL_RANK", 0))
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
    module._latents = lambda like: latents.append(draw(like)) or latents[-1]  # type: ignore[assignment, func-returns-value]
    strategy = PlayerDDPStrategy(process_group_backend="gloo")
    fit(module, data, folder, 2, devices=2, strategy=strategy)
    shown = module.generator_ema.module(
        torch.ones(2, 12), torch.tensor([0, 1])
    )  # statistics and weights together
    torch.save(
        {"weights": module.state_dict(), "latents": latents, "seen": module.seen, "shown": shown},
        folder / f"rank{rank}.pt",
    )
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
