"""What an averaged copy holds: weights and batch statistics averaged, the rest as it is."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from carsynth.modules.ema import averaged_copy

DECAY = 0.22
DECAYS = [None, 2 / 11, DECAY, DECAY, DECAY]
"""The first update copies; then (1 + n) / (10 + n), which is 3 / 12 at n = 2, DECAY at most."""


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        spectral_norm(nn.Conv2d(3, 6, 3)),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.Conv2d(6, 4, 3),
        nn.BatchNorm2d(4, track_running_stats=False),
        nn.BatchNorm2d(4, momentum=0.5),
    ).double()


def disturb(live: nn.Module) -> None:
    """What a training step does to weights and buffers."""
    with torch.no_grad():
        for parameter in live.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
        live(torch.randn(4, 3, 8, 8).double() * 2 + 1)


def averaged(live: nn.Module, name: str) -> bool:
    return name in dict(live.named_parameters()) or name.endswith(("running_mean", "running_var"))


def test_weights_and_batch_statistics_by_hand() -> None:
    live = network()
    ema = averaged_copy(live, DECAY)
    expected: dict[str, Tensor] = {}
    for decay in DECAYS:
        disturb(live)
        ema.update_parameters(live)
        for name, now in live.state_dict().items():
            if decay is None or not averaged(live, name):
                expected[name] = now.clone()
            else:
                expected[name] = decay * expected[name] + (1 - decay) * now
    ours = ema.module.state_dict()
    assert ours.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(ours[name], value, rtol=0, atol=1e-13, msg=name)
    moved = [name for name in ours if not torch.equal(ours[name], live.state_dict()[name])]
    assert {"1.running_mean", "1.running_var", "5.running_mean", "5.running_var"} <= set(moved)
    assert ours["1.num_batches_tracked"].item() == len(DECAYS)


def test_spectral_norms_vectors_are_the_live_ones() -> None:
    live = network()
    ema = averaged_copy(live, 0.9)
    for _ in range(4):
        disturb(live)
        ema.update_parameters(live)
    theirs, ours = live[0].parametrizations.weight[0], ema.module[0].parametrizations.weight[0]
    for name in ("_u", "_v"):
        vector = getattr(ours, name)
        assert torch.equal(vector, getattr(theirs, name))
        assert vector.norm().item() == pytest.approx(1.0, abs=1e-9)
    assert ours._u is not theirs._u
    raw = ema.module[0].parametrizations.weight.original
    assert not torch.allclose(raw, live[0].parametrizations.weight.original)


def test_the_network_itself_is_left_alone() -> None:
    live, twin = network(), network()
    ema = averaged_copy(live, DECAY)
    for each in (live, twin):
        torch.manual_seed(1)
        for _ in range(3):
            disturb(each)
            if each is live:
                ema.update_parameters(live)
    for name, value in twin.state_dict().items():
        assert torch.equal(live.state_dict()[name], value), name
    assert live.training
    assert all(parameter.requires_grad for parameter in live.parameters())
    assert not ema.module.training
    assert not any(parameter.requires_grad for parameter in ema.parameters())


def test_a_network_without_batch_statistics() -> None:
    live = nn.Sequential(nn.Linear(2, 2), nn.InstanceNorm1d(2)).double()
    ema = averaged_copy(live, 0.5)
    first = live[0].weight.detach().clone()
    ema.update_parameters(live)
    with torch.no_grad():
        live[0].weight += 1
    ema.update_parameters(live)
    torch.testing.assert_close(ema.module[0].weight, first + 9 / 11)


def test_its_count_and_average_are_taken_up_from_a_checkpoint() -> None:
    live = network()
    straight = averaged_copy(live, DECAY)
    for _ in range(2):
        disturb(live)
        straight.update_parameters(live)
    resumed = averaged_copy(network(), DECAY)
    resumed.load_state_dict(straight.state_dict())
    disturb(live)
    for ema in (straight, resumed):
        ema.update_parameters(live)
    for name, value in straight.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], value), name
