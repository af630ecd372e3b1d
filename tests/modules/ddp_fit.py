"""Run by test_ddp.py in processes of its own: a fit of two ranks, the weights of each saved."""

import os
import sys
from pathlib import Path

import torch

from carsynth.modules.strategy import PlayerDDPStrategy
from tests.modules.tiny import TinyGan, batches, fit


def main(folder: Path, accumulate: int) -> None:
    rank = int(os.environ.get("LOCAL_RANK", 0))
    module = TinyGan(accumulate=accumulate).double()
    loader = batches(count=6, batch_size=8, rank=rank, ranks=2)
    strategy = PlayerDDPStrategy(process_group_backend="gloo")
    fit(module, loader, folder, devices=2, strategy=strategy)
    torch.save({"weights": module.state_dict(), "seen": module.seen}, folder / f"rank{rank}.pt")
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
