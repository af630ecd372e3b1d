"""The step of one or two players: turns, accumulation, clipping, EMA, schedules and counting."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Literal, Protocol

import torch
import torch.distributed as dist
from lightning.pytorch import LightningModule
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.strategies import ParallelStrategy
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from carsynth.data.batch import CarBatch
from carsynth.modules.ema import averaged_copy
from carsynth.modules.freed_memory import keep_freed_memory
from carsynth.modules.strategy import PlayerDDPStrategy, check_strategy

Player = Literal["generator", "discriminator"]
COMPILING: dict[str, str | int | bool | Callable[..., Any]] = {"fallback_random": True}
"""Options of ``torch.compile``: the random numbers of eager code, which a CPU also draws faster
than the compiler's own."""

_OPTIMIZER: Mapping[Player, int] = {"generator": 0, "discriminator": 1}

OptimizerFactory = Callable[[Iterable[nn.Parameter]], Optimizer]
SchedulerFactory = Callable[..., LRScheduler]


class Backward(Protocol):
    """What :meth:`GenerativeModule.turn` hands out in place of ``Tensor.backward``."""

    def __call__(self, tensor: Tensor, gradient: Tensor | None = None) -> None: ...


class GenerativeModule(LightningModule):
    """A generator trained in manual optimisation, by itself or against a second player.

    A subclass writes ``training_step`` with one ``with self.turn(player) as backward:`` for each
    player and ends it with :meth:`finish_batch`; it writes :meth:`generate` with the EMA generator.
    Everything about when to step lies here.

    Args:
        generator: the network, or the composition of networks, that draws photos.
        optimizers: make the optimiser of each of :meth:`players` from its parameters, in order.
        scheduler: makes a per-epoch schedule from an optimiser and ``total_epochs``; None keeps
            the learning rates constant.
        ema_decay: decay of the generator's average, in [0, 1).
        accumulate: batches whose gradients are averaged into one step of each player.
        clip_norm: largest norm of each player's gradient, in the units of its loss; None clips
            nothing.
        compile: run the training forward and backward through ``torch.compile``.
    """

    parameters_may_rest = False
    """Whether a turn may leave parameters of its player without a gradient, as schedules do."""

    def __init__(
        self,
        generator: nn.Module,
        optimizers: Sequence[OptimizerFactory],
        *,
        scheduler: SchedulerFactory | None = None,
        ema_decay: float = 0.999,
        accumulate: int = 1,
        clip_norm: float | None = None,
        compile: bool = False,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        # Convolutions are fastest in this layout, on the CPU and on a GPU's tensor cores.
        self.generator = generator.to(memory_format=torch.channels_last)
        self.generator_ema = averaged_copy(self.generator, ema_decay)
        self.compiled = compile
        if compile:
            self.generator.compile(options=COMPILING)
        self.seen = 0
        """Real photos that have been trained on, all processes together."""
        self.last_terms: dict[str, Tensor] = {}
        """The loss terms of the latest batch, detached scalars by name."""
        self._optimizer_factories = tuple(optimizers)
        self._scheduler_factory = scheduler
        self._accumulate = accumulate
        self._clip_norm = clip_norm
        self._batches_held = 0
        self._draws = torch.Generator()

    def check_size(self, height: int, width: int) -> None:
        """Holds a picture size against the networks before anything is read or trained.

        Raises:
            UserError: the networks cannot work at that size; names the nearest that fit.
        """
        self.generator.check_size(height, width)  # type: ignore[operator]

    # What a subclass writes ---------------------------------------------------------------------

    def generate(self, batch: CarBatch) -> Tensor:
        """Photos (B, 3, H, W) in [-1, 1] by the EMA generator, one for each sample of the batch."""
        raise NotImplementedError

    def draw(self, part_map: Tensor, draws: torch.Generator) -> Tensor:
        """Photos of part maps by the EMA generator.

        Args:
            part_map: ids of ``labels.PARTS``, int64 (B, H, W).
            draws: the source of whatever is random about them.

        Returns:
            (B, 3, H, W) in [-1, 1].
        """
        raise NotImplementedError

    def seed_draws(self, seed: int) -> None:
        """Makes :meth:`generate` draw anew from ``seed``: the same photos for the same batches."""
        self._draws = torch.Generator().manual_seed(seed)

    # What it calls ------------------------------------------------------------------------------

    @contextmanager
    def turn(self, player: Player) -> Iterator[Backward]:
        """One player's backwards and, at the end of an accumulation window, its optimiser step.

        The other player's parameters ask for no gradients inside, so that graphs built there hold
        none for them. The backward that is handed out scales, accumulates and, under DDP, reduces
        once a window.
        """
        optimizer = self._optimizer(player)
        last = self._window_ends()
        reducing: AbstractContextManager[Any] = nullcontext()
        if isinstance(strategy := self.trainer.strategy, PlayerDDPStrategy):
            reducing = strategy.turn(player, reduce=last)
        elif isinstance(strategy, ParallelStrategy) and not last:
            reducing = strategy.block_backward_sync()

        def backward(tensor: Tensor, gradient: Tensor | None = None) -> None:
            if gradient is None:
                self.manual_backward(tensor / self._accumulate)
            else:
                self.manual_backward(tensor, gradient=gradient / self._accumulate)

        self.toggle_optimizer(optimizer)
        try:
            with reducing:
                yield backward
            if last:
                optimizer.step()
                optimizer.zero_grad()
        finally:
            self.untoggle_optimizer(optimizer)
        if last and player == "generator":
            self.generator_ema.update_parameters(self.generator)

    def finish_batch(self, batch: CarBatch, terms: Mapping[str, Tensor]) -> None:
        """Counts the batch as seen and logs its loss terms as ``train/<term>``."""
        self._batches_held = 0 if self._window_ends() else self._batches_held + 1
        self.seen += len(batch.photo) * self.trainer.world_size
        self.last_terms = {name: value.detach() for name, value in terms.items()}
        losses = {f"train/{name}": value for name, value in self.last_terms.items()}
        self.log_dict(losses)
        self.log("seen", float(self.seen))

    # What Lightning calls -----------------------------------------------------------------------

    def players(self) -> Mapping[str, nn.Module]:
        """The networks that hold the parameters of each player."""
        return {"generator": self.generator}

    def setup(self, stage: str) -> None:
        if stage == "fit":
            check_strategy(self.trainer.strategy)

    def on_fit_start(self) -> None:
        if self.device.type == "cpu":
            keep_freed_memory()

    def configure_optimizers(self) -> Any:
        optimizers = [
            factory(network.parameters())
            for factory, network in zip(
                self._optimizer_factories, self.players().values(), strict=True
            )
        ]
        if self._scheduler_factory is None:
            return optimizers
        epochs = self.trainer.max_epochs
        return optimizers, [self._scheduler_factory(o, total_epochs=epochs) for o in optimizers]

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        if self._clip_norm is not None:
            # Here, not in the step: under 16-mixed the gradients are unscaled only now.
            parameters = [p for group in optimizer.param_groups for p in group["params"]]
            torch.nn.utils.clip_grad_norm_(parameters, self._clip_norm)

    def validation_step(self, batch: CarBatch, batch_idx: int) -> Tensor:
        return self.generate(batch)

    def on_validation_start(self) -> None:
        self._average_buffers()
        # The same draws at every validation, so that epochs are compared on equal terms.
        self.seed_draws(0)

    def on_train_epoch_end(self) -> None:
        self._average_buffers()
        schedulers = self.lr_schedulers()
        for scheduler in schedulers if isinstance(schedulers, list) else [schedulers]:
            if scheduler is not None:
                scheduler.step()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["seen"] = self.seen

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.seen = checkpoint["seen"]

    # --------------------------------------------------------------------------------------------

    def _optimizer(self, player: Player) -> LightningOptimizer:
        optimizers = self.optimizers()
        if not isinstance(optimizers, list):  # Lightning's word for a single one
            optimizers = [optimizers]
        return optimizers[_OPTIMIZER[player]]

    def _window_ends(self) -> bool:
        """An epoch's last batch closes the window too: no gradient waits for the next epoch."""
        return self._batches_held + 1 >= self._accumulate or self.trainer.is_last_batch

    def _average_buffers(self) -> None:
        """Batch statistics drift apart under DDP; their mean is what is validated and saved."""
        if self.trainer.world_size == 1:
            return
        networks = [*self.players().values(), self.generator_ema]
        for buffer in (b for network in networks for b in network.buffers()):
            if buffer.is_floating_point():
                dist.all_reduce(buffer, op=dist.ReduceOp.SUM)
                buffer.div_(self.trainer.world_size)
