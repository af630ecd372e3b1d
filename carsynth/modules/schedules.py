"""Learning-rate schedules, stepped once an epoch."""

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from carsynth.errors import UserError


def constant_then_linear(
    optimizer: Optimizer, total_epochs: int, constant_fraction: float = 0.5
) -> LambdaLR:
    """The optimiser's own rate at first, then a straight line to zero, as pix2pixHD trains.

    With epochs counted from 0 and c = ``round(total_epochs * constant_fraction)``, the factor is 1
    up to and with epoch c and ``1 - (epoch - c) / (total_epochs - c)`` after it: zero would be
    reached just behind the last epoch, which itself still trains. Beyond that it stays 0.
    (Wang et al. 2018, appendix: 100 epochs constant, 100 to zero.)

    The schedule's state holds where it is and not its shape: a run resumed with another
    ``total_epochs`` follows the new line from its second epoch on.

    Raises:
        UserError: no last epoch to aim at.
        ValueError: the fraction is not within [0, 1].
    """
    if total_epochs < 1:
        raise UserError(
            f"a rate that falls to zero needs a last epoch: trainer.max_epochs={total_epochs} "
            "names none, set it to 1 or more"
        )
    if not 0.0 <= constant_fraction <= 1.0:
        raise ValueError(f"constant_fraction is a share of the epochs, not {constant_fraction}")
    constant = round(total_epochs * constant_fraction)
    falling = max(total_epochs - constant, 1)

    # A plain function: LambdaLR would save the fields of any other callable, and on resuming
    # put the old run's over the new one's.
    def factor(epoch: int) -> float:
        return min(1.0, max(0.0, 1.0 - (epoch - constant) / falling))

    return LambdaLR(optimizer, factor)
