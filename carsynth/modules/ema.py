"""The averaged copy of a network that every sample and every score comes from."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import AveragedModel

_Tensors = tuple[Tensor, ...] | list[Tensor]
_Average = Callable[[_Tensors, _Tensors, Tensor | int], None]


def _weight_of_present(decay: float, updates: Tensor | int) -> float:
    step = float(updates)
    return 1.0 - min(decay, (1.0 + step) / (10.0 + step))


def _warmed_up(decay: float) -> _Average:
    """Exponential average whose decay rises as (1 + n) / (10 + n) until it reaches ``decay``.

    Without the rise a short run would be judged by weights that are still mostly its random start.
    """

    @torch.no_grad()
    def average(averaged: _Tensors, current: _Tensors, updates: Tensor | int) -> None:
        torch._foreach_lerp_(averaged, current, _weight_of_present(decay, updates))

    return average


class EmaCopy(AveragedModel):
    """An average of a network's parameters and of its batch statistics; ``.module`` is it.

    Batch statistics are averaged as the weights that they belong to are. Other buffers, spectral
    norm's vectors among them, are copied: their average would not have unit length.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        super().__init__(network, multi_avg_fn=_warmed_up(decay), use_buffers=False)
        self._decay = decay

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        """Moves the average towards the network."""
        statistics = _batch_statistics(self.module)
        past = [tensor.clone() for tensor in statistics]
        updates = int(self.n_averaged)
        super().update_parameters(model)
        if past and updates:
            weight = _weight_of_present(self._decay, updates)
            torch._foreach_lerp_(past, statistics, weight)
            torch._foreach_copy_(statistics, past)


def _batch_statistics(network: nn.Module) -> list[Tensor]:
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    return [s for norm in norms for s in (norm.running_mean, norm.running_var) if s is not None]


def averaged_copy(network: nn.Module, decay: float) -> EmaCopy:
    """A frozen copy that ``update_parameters(network)`` moves after the network.

    The copy asks for no gradients, so that no reducer counts on them.

    Args:
        network: what to copy, before it is compiled.
        decay: weight of the past once the average has warmed up, in [0, 1).
    """
    copy = EmaCopy(network, decay)
    copy.requires_grad_(False)
    return copy.eval()
