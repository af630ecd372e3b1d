"""Two players: a generator and the discriminator that it is trained against."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from carsynth.modules.generative import GenerativeModule, OptimizerFactory


class AdversarialModule(GenerativeModule):
    """A generator and a discriminator trained against each other.

    Args:
        generator: the network, or the composition of networks, that draws photos.
        discriminator: the network that tells them from real ones.
        optimizer_g: makes the generator's optimiser from its parameters.
        optimizer_d: makes the discriminator's.
        training: what :class:`~carsynth.modules.generative.GenerativeModule` takes.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        *,
        optimizer_g: OptimizerFactory,
        optimizer_d: OptimizerFactory,
        **training: Any,
    ) -> None:
        super().__init__(generator, (optimizer_g, optimizer_d), **training)
        self.discriminator = discriminator.to(memory_format=torch.channels_last)

    def players(self) -> Mapping[str, nn.Module]:
        return {"generator": self.generator, "discriminator": self.discriminator}
