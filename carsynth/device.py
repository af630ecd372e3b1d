"""Where sampling and evaluation run."""

import torch

from carsynth.errors import UserError


def choose(name: str) -> torch.device:
    """``auto`` is a GPU where there is one; any other name is a device of torch's.

    Raises:
        UserError: torch does not know the device, or the machine lacks it.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"device={name} is not to be had here: take device=auto or cpu") from error
    return device
