"""Part maps by a variational autoencoder: learnt in minutes, from few maps, without a rival."""

from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional as F
from torchmetrics.utilities.distributed import gather_all_tensors

from carsynth.data.batch import CarBatch
from carsynth.data.datamodule import CarDataModule
from carsynth.errors import UserError
from carsynth.labels import NUM_PARTS, PART_TWINS
from carsynth.modules.canvas import ClassCanvas, Shown
from carsynth.modules.generative import OptimizerFactory
from carsynth.modules.latent_codes import LatentCodes
from carsynth.modules.latent_drawing import LatentDrawing
from carsynth.networks.map_autoencoder import MapAutoencoder


class MapVAE(LatentDrawing):
    """Codes of part maps, and maps of codes (Kingma and Welling 2014, arXiv 1312.6114).

    The loss is the negative evidence bound of a map: cross-entropy summed over its pixels, and the
    divergence of its code's distribution from the standard normal one. A decoder of classes draws
    every part with a sharp outline: what it is unsure of moves the outline and blurs nothing.

    New maps are decoded from between the codes of training maps (:class:`LatentCodes`), which are
    taken anew at each validation, those of mirror images among them.

    Args:
        network: makes the autoencoder from the number of ``channels``.
        weights: of ``reconstruction`` and ``divergence``; a weight of the divergence above 1 brings
            codes closer together (Higgins et al. 2017), and maps closer to each other's.
        neighbours: how many near codes a new map may lean towards.
        seed: of the noise on the codes.
        training: what :class:`~carsynth.modules.generative.GenerativeModule` takes.

    Raises:
        UserError: weights of another loss.
    """

    def __init__(
        self,
        network: Callable[..., MapAutoencoder],
        weights: Mapping[str, float],
        *,
        optimizer: OptimizerFactory,
        neighbours: int = 5,
        seed: int = 0,
        **training: Any,
    ) -> None:
        if set(weights) != {"reconstruction", "divergence"}:
            raise UserError(
                f"loss.weights has {', '.join(weights)}, and this model learns by reconstruction "
                "and divergence: set loss=evidence"
            )
        made = network(channels=NUM_PARTS)
        super().__init__(made, (optimizer,), **training)
        self.canvas = ClassCanvas()
        self.picture_size = made.size
        self.codes = LatentCodes(neighbours, made.latent)
        self._latent = made.latent
        self._weights = dict(weights)
        self._seed = seed

    def training_step(self, batch: CarBatch, batch_idx: int) -> None:
        self.seed_step(self._seed)
        real = self.canvas.real(batch).to(self.dtype)
        noise = torch.randn(len(real), self._latent, device=real.device, dtype=real.dtype)
        with self.turn("generator") as backward:
            logits, posterior = self.generator(real, noise)
            mean, log_variance = posterior.mean.float(), posterior.log_variance.float()
            unlikely = F.cross_entropy(logits.float(), batch.part_map, reduction="sum")
            away = mean.square() + log_variance.exp() - 1 - log_variance
            terms = {
                "reconstruction": unlikely / len(real),
                "divergence": away.sum() / 2 / len(real),
            }
            backward(torch.stack([self._weights[k] * v for k, v in terms.items()]).sum())
        self.finish_batch(batch, {f"g_{name}": value for name, value in terms.items()})

    # Drawing ------------------------------------------------------------------------------------

    def latents(
        self, count: int, draws: torch.Generator, truncation: float | None = None
    ) -> Tensor:
        """Codes (count, L) on the CPU, between those of training maps.

        Raises:
            UserError: a truncation, which is of normal latents.
        """
        if truncation is not None:
            raise UserError(
                f"truncation={truncation}: this model draws between the codes of training maps "
                "and not from a normal distribution; leave it out"
            )
        return self.codes.sample(count, draws)

    @torch.no_grad()
    def paint(self, latent: Tensor, label: Tensor | None) -> Shown:
        """Part maps of codes (B, L); the label is not heeded."""
        network = cast(MapAutoencoder, self.generator_ema.module)
        logits = network.decode(latent.to(self.device, cast(torch.dtype, self.dtype)))
        return self.canvas.show(logits)

    def on_validation_start(self) -> None:
        super().on_validation_start()
        self._store_codes(cast(Any, self.trainer).datamodule)

    def on_train_end(self) -> None:
        if not len(self.codes.codes):  # a run too short to be validated
            self._store_codes(cast(Any, self.trainer).datamodule)

    @torch.no_grad()
    def _store_codes(self, datamodule: CarDataModule) -> None:
        """Of all training maps and their mirror images, on every rank alike."""
        network = cast(MapAutoencoder, self.generator_ema.module)
        twins = torch.tensor(PART_TWINS, dtype=torch.int64, device=self.device)
        found = []
        for batch in datamodule.split_dataloader("train"):
            part_map = batch.part_map.to(self.device, torch.int64)
            for one in (part_map, twins[part_map.flip(2)]):
                real = self.canvas.real(batch._replace(part_map=one)).to(self.dtype)
                found.append(network.encode(real).mean)
        self.codes.fit(_of_all_ranks(torch.cat(found)))


def _of_all_ranks(rows: Tensor) -> Tensor:
    """The rows of every rank behind each other, of which a rank may have one more than the next."""
    return torch.cat(gather_all_tensors(rows)) if dist.is_initialized() else rows
