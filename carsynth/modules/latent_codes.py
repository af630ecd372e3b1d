"""Where the codes of real pictures lie, to draw new ones from there."""

import torch
from torch import Tensor, nn

from carsynth.errors import UserError

MOST = 8192
"""Codes that are kept."""

_BLOCK = 1024
"""Codes whose distances to all others are held at a time."""


class LatentCodes(nn.Module):
    """New codes between those of real pictures that are near each other.

    An autoencoder's codes do not fill the normal distribution that they were held to: what is
    decoded from elsewhere is often no picture. So the density is taken from the codes themselves,
    after training (Ghosh et al. 2020, arXiv 1903.12436, section 4.2); here it lies evenly on the
    lines from each code to its nearest ones.

    Args:
        neighbours: nearest codes that a line may lead to.
        latent: length of a code.
    """

    codes: Tensor
    """(n, latent), of real pictures."""
    nearest: Tensor
    """Indices of each code's nearest others, int64 (n, k), k at most ``neighbours``."""

    def __init__(self, neighbours: int, latent: int) -> None:
        super().__init__()
        self._neighbours = neighbours
        self.register_buffer("codes", torch.zeros(0, latent))
        self.register_buffer("nearest", torch.zeros(0, 0, dtype=torch.int64))

    def fit(self, codes: Tensor) -> None:
        """Takes these codes (n, latent) in place of the present ones, evenly chosen if too many."""
        if len(codes) > MOST:
            codes = codes[torch.linspace(0, len(codes) - 1, MOST, device=codes.device).long()]
        self.codes = codes.detach().float()
        count = min(self._neighbours, len(codes) - 1)
        found = []
        for start in range(0, len(codes), _BLOCK):
            rows = torch.arange(start, min(start + _BLOCK, len(codes)), device=codes.device)
            distance = torch.cdist(self.codes[rows], self.codes)
            distance[torch.arange(len(rows)), rows] = torch.inf
            found.append(distance.topk(count, largest=False).indices)
        self.nearest = torch.cat(found)

    def sample(self, count: int, draws: torch.Generator) -> Tensor:
        """Codes (count, latent), float32 on the CPU.

        Raises:
            UserError: none have been stored.
        """
        if not len(self.codes):
            raise UserError(
                "this model has no codes of training maps yet: they are stored at each validation; "
                "train it until the first one"
            )
        chance = torch.rand(count, 3, generator=draws, dtype=torch.float32)
        start = (chance[:, 0] * len(self.codes)).long().to(self.codes.device)
        lines = self.nearest.shape[1]
        if not lines:
            return self.codes[start].float().cpu()
        end = self.nearest[start, (chance[:, 1] * lines).long().to(start.device)]
        # A few rows leave the device, not the whole table: maps are often drawn one at a time.
        first, last = (self.codes[rows].float().cpu() for rows in (start, end))
        return torch.lerp(first, last, chance[:, 2:])

    def _load_from_state_dict(
        self, state_dict: dict[str, Tensor], prefix: str, *args: object
    ) -> None:
        """Takes as many codes as were stored, whatever their number."""
        for name in ("codes", "nearest"):
            if prefix + name in state_dict:
                own = getattr(self, name)
                setattr(self, name, own.new_empty(state_dict[prefix + name].shape))
        super()._load_from_state_dict(state_dict, prefix, *args)
