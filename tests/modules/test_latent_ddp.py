"""Two gloo processes train one GAN that draws from latents."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.modules.latent_runs import data_of, module_of

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_both_ranks_hold_the_same_networks_and_draw_other_latents(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.modules.latent_ddp_fit", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=180)
    first, second = (torch.load(tmp_path / f"rank{rank}.pt") for rank in range(2))

    words = (
        "data.size=[32,56]",
        "arch.latent=[[0,6],[1,12]]",
        "arch.adaptive_target=-0.9",
        "loss=least_squares",
    )
    words = (*words, "loss.weights.auxiliary=0.5", "arch.head=projection")
    untrained = module_of("carbrand", *words, classes=data_of().classes)
    assert first["seen"] == second["seen"] == 2 * 16
    for name, parameter in untrained.named_parameters():
        ours, theirs = first["weights"][name], second["weights"][name]
        assert torch.equal(ours, theirs), name
        assert not torch.equal(ours, parameter.detach()), f"{name} was not trained"
    assert torch.equal(first["shown"], second["shown"])
    assert float(first["weights"]["adaptive.chance"]) > 0
    assert torch.equal(first["weights"]["adaptive.chance"], second["weights"]["adaptive.chance"])
    assert int(first["weights"]["alive"]) == 12
    for ours, theirs in zip(first["latents"], second["latents"], strict=True):
        assert not torch.equal(ours, theirs)
