"""Adam (Kingma and Ba 2015) for parameters of any memory layout."""

from typing import Any

import torch
from torch import Tensor


class Adam(torch.optim.Adam):
    """``torch.optim.Adam``, whose fused form is right and fast here for channels-last tensors.

    On a CPU torch's fused kernel walks through memory. Where the strides of a gradient or a moment
    differ from its parameter's it pairs the wrong numbers, without a word, and of every gradient
    that is not contiguous it makes a copy that it never reads. Here all that belongs to a parameter
    takes its layout, and is handed over in the order in which it lies.
    """

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        for parameter, state in self.state.items():
            for name, moment in state.items():
                if isinstance(moment, Tensor) and moment.shape == parameter.shape:
                    state[name] = _laid_like(parameter, moment)

    def _init_group(
        self,
        group: dict[str, Any],
        parameters: list[Tensor],
        gradients: list[Tensor],
        *moments_and_steps: list[Tensor],
    ) -> bool:
        has_complex: bool = super()._init_group(  # type: ignore[no-untyped-call]
            group, parameters, gradients, *moments_and_steps
        )
        *moments, _ = moments_and_steps
        for index, parameter in enumerate(parameters):
            if parameter.device.type != "cpu":
                continue
            gradients[index] = _laid_like(parameter, gradients[index])
            for tensors in (parameters, gradients, *filter(None, moments)):
                tensors[index] = _as_it_lies(tensors[index])
        return has_complex


def _laid_like(parameter: Tensor, x: Tensor) -> Tensor:
    return x if x.stride() == parameter.stride() else torch.empty_like(parameter).copy_(x)


def _as_it_lies(x: Tensor) -> Tensor:
    """A view with the dimensions in the order of their strides: contiguous if ``x`` is dense."""
    return x.permute(sorted(range(x.dim()), key=x.stride, reverse=True))
