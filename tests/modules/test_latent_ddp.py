"""Two gloo processes train one model that draws from latents."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from carsynth.labels import NUM_PARTS, PART_TWINS
from tests.modules.latent_ddp_fit import MAPS, SIZE, cars
from tests.modules.latent_runs import data_of, module_of

ROOT = Path(__file__).parents[2]


def trained(folder: Path, model: str) -> list[dict[str, Any]]:
    """What each of the ranks has left."""
    command = [sys.executable, "-m", "tests.modules.latent_ddp_fit", str(folder), model]
    subprocess.run(command, cwd=ROOT, check=True, timeout=180)
    return [torch.load(folder / f"rank{rank}.pt") for rank in range(2)]


@pytest.mark.slow
def test_both_ranks_hold_the_same_networks_and_draw_other_latents(tmp_path: Path) -> None:
    first, second = trained(tmp_path, "carbrand")
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


@pytest.mark.slow
def test_a_single_player_is_the_same_on_both_ranks_and_so_are_its_codes(tmp_path: Path) -> None:
    first, second = trained(tmp_path, "map_vae")
    assert first["seen"] == second["seen"] == 2 * 16
    assert first["weights"].keys() == second["weights"].keys()
    for name, ours in first["weights"].items():
        assert torch.equal(ours, second["weights"][name]), name
    for name, parameter in module_of("map_vae", *MAPS).named_parameters():
        assert not torch.equal(first["weights"][name], parameter.detach()), f"{name} untrained"
    for ours, theirs in zip(first["latents"], second["latents"], strict=True):
        assert not torch.equal(ours, theirs)

    # The codes are those that one process finds for all maps, one by one.
    alone = module_of("map_vae", *MAPS)
    alone.load_state_dict(first["weights"])
    data = data_of(cars(), SIZE)
    part_maps = [one for batch in data.split_dataloader("train") for one in batch.part_map]
    assert len(part_maps) == 17
    maps = torch.stack([*part_maps, *(torch.tensor(PART_TWINS)[m.flip(1)] for m in part_maps)])
    one_hot = torch.nn.functional.one_hot(maps.long(), NUM_PARTS).movedim(3, 1).float()
    with torch.no_grad():
        expected = alone.generator_ema.module.encode(one_hot).mean
    assert alone.codes.codes.shape == expected.shape == (34, 6)
    distance = torch.cdist(expected.double(), alone.codes.codes.double())
    assert distance.min(1).values.max() < 1e-4
    assert len(distance.argmin(1).unique()) == 34
