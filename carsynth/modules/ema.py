"""The averaged copy of a network that every sample and every score comes from."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

_Tensors = tuple[Tensor, ...] | list[Tensor]
_Average = Callable[[_Tensors, _Tensors, Tensor | int], None]


def _warmed_up(decay: float) -> _Average:
    """Exponential average whose decay rises as (1 + n) / (10 + n) until it reaches ``decay``.

    Without the rise a short run would be judged by weights that are still mostly its random start.
    """

    @torch.no_grad()
    def average(averaged: _Tensors, current: _Tensors, updates: Tensor | int) -> None:
        step = float(updates)
        weight = 1.0 - min(decay, (1.0 + step) / (10.0 + step))
        torch._foreach_lerp_(averaged, current, weight)

    return average


def averaged_copy(network: nn.Module, decay: float) -> AveragedModel:
    """A frozen copy that ``update_parameters(network)`` moves after the network; ``.module`` is it.

    Buffers, batch statistics among them, are copied as they are, not averaged. The copy asks for no
    gradients, so that no reducer counts on them.

    Args:
        network: what to copy, before it is compiled.
        decay: weight of the past once the average has warmed up, in [0, 1).
    """
    copy = AveragedModel(network, multi_avg_fn=_warmed_up(decay), use_buffers=False)
    copy.requires_grad_(False)
    return copy.eval()
