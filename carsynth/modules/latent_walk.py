"""Ways from one latent to another."""

import torch
from torch import Tensor


def spherical(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """Latents (steps, L) from ``start`` (L,) to ``end`` in equal turns, both ends among them.

    Between two normal vectors the straight line passes much nearer to 0 than any sample lies; the
    arc does not (White 2016, "Sampling Generative Networks", section 2.1). Lengths change evenly.
    """
    share = torch.linspace(0, 1, steps, dtype=start.dtype, device=start.device)[:, None]
    lengths = torch.lerp(start.norm(), end.norm(), share)
    first, last = start / start.norm(), end / end.norm()
    angle = torch.arccos((first * last).sum().clamp(-1, 1))
    if torch.sin(angle) < 1e-4:  # the same or opposite directions: no arc to follow
        return torch.lerp(start, end, share)
    turned = torch.sin((1 - share) * angle) * first + torch.sin(share * angle) * last
    latents: Tensor = lengths * turned / torch.sin(angle)
    return latents
