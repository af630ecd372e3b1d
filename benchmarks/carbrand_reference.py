"""A plain brand-GAN step: the mathematics of carsynth's, written as its seed was."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from carsynth.modules.latent_gan import LatentGAN

PENALTY = 5.0
COSINE = 0.1


def gathered_translation(x: Tensor, share: float) -> Tensor:
    """DiffAugment's published form: pictures with a border read at shifted indices."""
    batch, _, height, width = x.shape
    torch.rand(
        batch, dtype=torch.float32
    )  # carsynth's own draws whether a picture is met; always, here
    down, right = round(height * share), round(width * share)
    shift_h = torch.randint(-down, down + 1, (batch, 1, 1))
    shift_w = torch.randint(-right, right + 1, (batch, 1, 1))
    picture, row, column = torch.meshgrid(
        torch.arange(batch), torch.arange(height), torch.arange(width), indexing="ij"
    )
    row = (row - shift_h + 1).clamp(0, height + 1)
    column = (column - shift_w + 1).clamp(0, width + 1)
    bordered = F.pad(x, (1, 1, 1, 1))
    return bordered.permute(0, 2, 3, 1).contiguous()[picture, row, column].permute(0, 3, 1, 2)


def gathered_cutout(x: Tensor, share: float) -> Tensor:
    """DiffAugment's published form: a mask of ones with an indexed box of zeros."""
    batch, _, height, width = x.shape
    torch.rand(batch, dtype=torch.float32)
    tall, wide = round(height * share), round(width * share)
    top = torch.randint(-(tall // 2), height - tall // 2 + (1 - tall % 2), (batch, 1, 1))
    left = torch.randint(-(wide // 2), width - wide // 2 + (1 - wide % 2), (batch, 1, 1))
    picture, row, column = torch.meshgrid(
        torch.arange(batch), torch.arange(tall), torch.arange(wide), indexing="ij"
    )
    mask = torch.ones(batch, height + 2 * tall, width + 2 * wide, dtype=x.dtype)
    mask[picture, row + top + tall, column + left + wide] = 0
    return x * mask[:, tall : tall + height, wide : wide + width].unsqueeze(1)


def recoloured(x: Tensor) -> Tensor:
    """Brightness, saturation and contrast, one after the other."""
    batch = len(x)
    torch.rand(batch, dtype=torch.float32)
    brightness, saturation, contrast = (torch.rand(batch, 1, 1, 1, dtype=x.dtype) for _ in range(3))
    x = x + (brightness - 0.5)
    mean = x.mean(dim=1, keepdim=True)
    x = (x - mean) * (saturation * 2) + mean
    mean = x.mean(dim=[1, 2, 3], keepdim=True)
    return (x - mean) * (contrast + 0.5) + mean


def augmented(x: Tensor) -> Tensor:
    """All three."""
    return gathered_cutout(gathered_translation(recoloured(x), 0.125), 0.5)


class CarbrandReference:
    """Separate D passes, nothing frozen, contiguous tensors, stock Adam, an EMA a parameter.

    Holds copies of the weights and of spectral norm's vectors, which stay as they are, and calls
    torch's own functions on them.
    """

    def __init__(self, module: LatentGAN) -> None:
        self._seed = module._seed
        self._seen = 0
        self._noise = float(module.discriminator.input_noise)  # type: ignore[arg-type]
        self._every = module._critic._penalties["gradient"].every
        self._updates = 0
        self.generator = _leaves(module.generator)
        self.discriminator = _leaves(module.discriminator)
        self._vectors = {
            **{f"G {k}": v.clone() for k, v in module.generator.named_buffers()},
            **{f"D {k}": v.clone() for k, v in module.discriminator.named_buffers()},
        }
        self._latent = module.growth.full
        self._alive = int(module.alive)
        self._levels = sum(name.endswith(".0._u") for name in self._vectors if "D convs" in name)
        self._adam_g = torch.optim.Adam(self.generator.values(), 1e-4, (0.5, 0.999))
        self._adam_d = torch.optim.Adam(self.discriminator.values(), 4e-4, (0.5, 0.999))
        self._ema = {name: weight.detach().clone() for name, weight in self.generator.items()}

    def __call__(self, real: Tensor, label: Tensor) -> list[Tensor]:
        """One batch: two D steps and one G step; D's last loss and G's."""
        torch.manual_seed((self._seed * 1_000_003 + self._seen) * 1_009)
        self._seen += len(real)
        for _ in range(2):
            latent = torch.randn(len(real), self._latent, dtype=real.dtype)
            latent[:, self._alive :] = 0
            fake = self._generate(latent, label)
            d_loss = self._d_step(real, fake.detach(), label)
        judged = augmented(self._generate(latent, label))
        logits, features = self._judge(judged, label)
        g_loss = -logits.mean() + COSINE * _likeness(features, latent)
        self._adam_g.zero_grad()
        g_loss.backward()  # type: ignore[no-untyped-call]
        self._adam_g.step()
        with torch.no_grad():
            for name, weight in self.generator.items():
                self._ema[name].mul_(0.999).add_(weight, alpha=0.001)
        return [d_loss.detach(), g_loss.detach()]

    def _d_step(self, real: Tensor, fake: Tensor, label: Tensor) -> Tensor:
        real, fake = augmented(real), augmented(fake)
        penalised = self._updates % self._every == 0
        self._updates += 1
        if penalised:
            share = torch.rand(len(real), 1, 1, 1, dtype=real.dtype)
            between = (share * real + (1 - share) * fake).requires_grad_()
        of_real, _ = self._judge(real, label)
        of_fake, _ = self._judge(fake, label)
        loss = 0.5 * (F.relu(1 - of_real).mean() + F.relu(1 + of_fake).mean())
        if penalised:
            logits, _ = self._judge(between, label)
            (slope,) = torch.autograd.grad(logits.sum(), between, create_graph=True)
            steepness = slope.flatten(1).norm(dim=1)
            loss = loss + PENALTY * self._every * (steepness - 1).square().mean()
        self._adam_d.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._adam_d.step()
        return loss

    def _weight(self, player: str, layer: str) -> Tensor:
        """A weight over its largest singular value, as the stored vectors tell it."""
        weights = self.generator if player == "G" else self.discriminator
        raw = weights[f"{layer}.parametrizations.weight.original"]
        u = self._vectors[f"{player} {layer}.parametrizations.weight.0._u"]
        v = self._vectors[f"{player} {layer}.parametrizations.weight.0._v"]
        matrix = raw if raw.ndim == 2 else raw.transpose(0, 1) if player == "G" else raw
        return raw / torch.dot(u, torch.mv(matrix.flatten(1), v))

    def _generate(self, latent: Tensor, label: Tensor) -> Tensor:
        w = self.generator
        x = torch.cat([latent, w["input.embedding.weight"][label]], dim=1)
        x = F.linear(x, self._weight("G", "input.linear"))
        channels = w["body.0.weight"].shape[0]
        side = x.shape[1] // channels
        height = int((side / 1.75) ** 0.5)
        x = x.view(-1, channels, height, side // height)
        for index in range(0, 3 * self._levels - 2, 3):
            gain, bias = w[f"body.{index}.weight"], w[f"body.{index}.bias"]
            x = F.mish(F.batch_norm(x, None, None, gain, bias, training=True))
            layer = f"body.{index + 2}"
            x = F.conv_transpose2d(x, self._weight("G", layer), w.get(f"{layer}.bias"), 2, 1)
        return x.tanh()

    def _judge(self, x: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        w = self.discriminator
        if self._noise:
            x = x * (1 + self._noise * torch.randn_like(x))
        for level in range(self._levels):
            layer = f"convs.{level}"
            x = F.leaky_relu(F.conv2d(x, self._weight("D", layer), w[f"{layer}.bias"], 2, 1), 0.2)
        features = x.flatten(1)
        joined = torch.cat([features, w["head.embedding.weight"][label]], dim=1)
        logits = F.linear(joined, self._weight("D", "head.linear"), w["head.linear.bias"])
        return logits.squeeze(1), features


def _likeness(features: Tensor, latents: Tensor) -> Tensor:
    def mean_cosine(rows: Tensor) -> Tensor:
        pairs: Sequence[tuple[int, int]] = [
            (i, j) for i in range(len(rows)) for j in range(i + 1, len(rows))
        ]
        first, second = (rows[[pair[side] for pair in pairs]] for side in (0, 1))
        return F.cosine_similarity(first, second).abs().mean()

    return mean_cosine(features) / mean_cosine(latents)


def _leaves(network: torch.nn.Module) -> dict[str, Tensor]:
    return {
        name: weight.detach().clone(memory_format=torch.contiguous_format).requires_grad_()
        for name, weight in network.named_parameters()
    }
