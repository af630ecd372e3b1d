"""Figures of generated photos against the real ones that they should equal, all at once."""

from collections.abc import Sequence

import torch
from torch import Tensor

from carsynth.errors import UserError
from carsynth.metrics.paired import PairedFigure
from carsynth.metrics.score_card import Score


class PairedCard:
    """Feeds several figures; one that cannot be measured says why in its score."""

    def __init__(self, figures: Sequence[PairedFigure]) -> None:
        self._figures = figures
        self._why: dict[str, str] = {}

    def to(self, device: torch.device) -> None:
        """Moves the sums of all."""
        for figure in self._figures:
            figure.to(device)

    def reset(self) -> None:
        """Forgets all pairs."""
        for figure in self._figures:
            figure.reset()

    def update(self, fake: Tensor, real: Tensor) -> None:
        """Adds pairs of pictures, uint8 (B, 3, H, W)."""
        for figure in self._figures:
            if figure.name not in self._why:
                try:
                    figure.update(fake, real)
                except UserError as error:
                    self._why[figure.name] = str(error)

    def scores(self) -> list[Score]:
        """Of all pairs of all processes; a collective call."""
        card = []
        for figure in self._figures:
            why = self._why.get(figure.name)
            try:
                value = None if why is not None else figure.compute()
            except UserError as error:
                value, why = None, str(error)
            if value is None:
                card.append(Score(figure.name, figure.better, None, why=why))
            else:
                card.append(Score(figure.name, figure.better, value.value, value.spread))
        return card
