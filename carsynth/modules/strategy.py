"""Data parallelism for two players, and which of Lightning's strategies can hold them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Protocol, cast

from lightning.pytorch.overrides.distributed import prepare_for_backward
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy, Strategy
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from carsynth.errors import UserError


class HasPlayers(Protocol):
    """A module that names the networks whose gradients are reduced on their own."""

    parameters_may_rest: bool
    """Whether a player's turn may leave some of its parameters without a gradient."""

    def players(self) -> Mapping[str, nn.Module]: ...


class PlayerDDPStrategy(DDPStrategy):
    """DDP with one gradient reducer a player in place of one around the whole LightningModule.

    A backward of one player then reduces that player's gradients alone: half the traffic of
    ``ddp_find_unused_parameters_true``, with equal updates. The wrappers only reduce; the module
    calls its networks directly, so state-dict keys stay as they are on one device. Parameters that
    a backward does not reach (frozen by a schedule, say) are found and skipped.
    """

    def configure_ddp(self) -> None:
        module = cast(HasPlayers, self.lightning_module)
        self._ddp_kwargs["find_unused_parameters"] = module.parameters_may_rest
        self._reducers: dict[str, DistributedDataParallel] = {
            name: self._setup_model(network) for name, network in module.players().items()
        }
        self._turn: str | None = None

    @contextmanager
    def turn(self, player: str, reduce: bool) -> Iterator[None]:
        """Backwards inside reduce the gradients of ``player``, or leave them local for later."""
        reducer = self._reducers[player]
        self._turn = player
        try:
            with nullcontext() if reduce else reducer.no_sync():
                yield
        finally:
            self._turn = None

    def pre_backward(self, closure_loss: Tensor) -> None:
        if self._turn is None:
            raise RuntimeError(
                "a backward outside GenerativeModule.turn() would leave its gradients unreduced"
            )
        prepare_for_backward(self._reducers[self._turn], closure_loss)

    def teardown(self) -> None:
        self._reducers = {}
        super().teardown()


_REASONS = {
    "FSDPStrategy": "FSDP1 asserts when a backward runs inside the module's forward",
    "DeepSpeedStrategy": "DeepSpeed steps one optimiser only, and a GAN has two",
    "ModelParallelStrategy": "sharding the players with FSDP2 is not supported yet",
}


def check_strategy(strategy: Strategy) -> None:
    """Refuses, before training, a strategy that cannot hold two players in manual optimisation.

    Raises:
        UserError: names the strategy, the reason, and what to take in its place.
    """
    if isinstance(strategy, PlayerDDPStrategy | SingleDeviceStrategy):
        return
    name = type(strategy).__name__
    whole_module_ddp = isinstance(strategy, DDPStrategy) and strategy._start_method == "popen"
    if whole_module_ddp and cast(DDPStrategy, strategy)._ddp_kwargs.get("find_unused_parameters"):
        return
    reason = _REASONS.get(name, "it has not been shown to train two players rightly")
    if isinstance(strategy, DDPStrategy):
        reason = "plain DDP waits for the gradients of the player whose turn it is not"
    raise UserError(
        f"trainer.strategy: {name} cannot train an adversarial module ({reason}); "
        "take trainer=cpu, gpu, ddp or ddp_cpu"
    )
