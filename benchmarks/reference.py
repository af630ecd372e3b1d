"""A plain pix2pixHD step: the mathematics of carsynth's, the ways of the published trainer."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from carsynth.networks.pix2pixhd import GlobalGenerator, MultiScaleDiscriminator

FEATURE_MATCHING = 10.0


class ReferenceStep:
    """Three passes of D, nothing frozen, contiguous tensors, stock norms and stock Adam.

    Holds copies of a generator's and a discriminator's weights and calls torch's own functions on
    them, so that only the mathematics is shared with carsynth's networks. As published, every
    convolution has a bias, also where the norm behind it takes it away again.
    """

    def __init__(self, generator: GlobalGenerator, discriminator: MultiScaleDiscriminator) -> None:
        self.generator = _leaves(generator)
        self.discriminator = _leaves(discriminator)
        self._kinds = [_kind(layer) for layer in generator.body]
        self._blocks = generator
        self._scales = len(discriminator.scales)
        self._halvings = len(discriminator.scales[0].middle)  # type: ignore[arg-type]
        settings = {"lr": 2e-4, "betas": (0.5, 0.999)}
        self._adam_g = torch.optim.Adam(self.generator.values(), **settings)  # type: ignore[arg-type]
        self._adam_d = torch.optim.Adam(self.discriminator.values(), **settings)  # type: ignore[arg-type]

    def __call__(self, condition: Tensor, real: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """One update of both players; D's loss, G's adversarial and feature-matching terms."""
        fake = self._generate(condition)
        of_fake = self._judge(torch.cat([condition, fake.detach()], dim=1))
        of_real = self._judge(torch.cat([condition, real], dim=1))
        of_fake_for_g = self._judge(torch.cat([condition, fake], dim=1))
        d_loss = torch.zeros((), dtype=real.dtype)
        adversarial = torch.zeros((), dtype=real.dtype)
        matching = torch.zeros((), dtype=real.dtype)
        for r, f, g in zip(of_real, of_fake, of_fake_for_g, strict=True):
            d_loss = d_loss + 0.5 * (F.mse_loss(r[-1], torch.ones_like(r[-1])))
            d_loss = d_loss + 0.5 * (F.mse_loss(f[-1], torch.zeros_like(f[-1])))
            adversarial = adversarial + F.mse_loss(g[-1], torch.ones_like(g[-1]))
            for a, b in zip(r[:-1], g[:-1], strict=True):
                weight = 4.0 / len(r[:-1]) / self._scales
                matching = matching + weight * F.l1_loss(b, a.detach())
        self._adam_g.zero_grad()
        (adversarial + FEATURE_MATCHING * matching).backward()  # type: ignore[no-untyped-call]
        self._adam_g.step()
        self._adam_d.zero_grad()
        d_loss.backward()  # type: ignore[no-untyped-call]
        self._adam_d.step()
        return d_loss.detach(), adversarial.detach(), matching.detach()

    def _generate(self, x: Tensor) -> Tensor:
        w = self.generator
        for index, kind in enumerate(self._kinds):
            name = f"body.{index}"
            if kind == "stem":
                x = _convolve(F.pad(x, (3, 3, 3, 3), mode="reflect"), w, name)
            elif kind == "down":
                x = _convolve(x, w, name, 2, 1)
            elif kind == "up":
                x = F.conv_transpose2d(x, w[f"{name}.weight"], w[f"{name}.bias"], 2, 1, 1)
            elif kind == "norm":
                x = F.instance_norm(x)
            elif kind == "relu":
                x = F.relu(x)
            else:
                h = _convolve(F.pad(x, (1, 1, 1, 1), mode="reflect"), w, f"{name}.branch.0")
                h = F.pad(F.relu(F.instance_norm(h)), (1, 1, 1, 1), mode="reflect")
                x = x + F.instance_norm(_convolve(h, w, f"{name}.branch.3"))
        return torch.tanh(_convolve(F.pad(x, (3, 3, 3, 3), mode="reflect"), w, "output"))

    def _judge(self, x: Tensor) -> list[list[Tensor]]:
        w = self.discriminator
        features = []
        for scale in range(self._scales):
            name = f"scales.{scale}"
            of_scale = [F.leaky_relu(_convolve(x, w, f"{name}.first", 2, 2), 0.2)]
            for index in range(self._halvings):
                stride = 1 if index == self._halvings - 1 else 2
                h = _convolve(of_scale[-1], w, f"{name}.middle.{index}", stride, 2)
                of_scale.append(F.leaky_relu(F.instance_norm(h), 0.2))
            features.append([*of_scale, _convolve(of_scale[-1], w, f"{name}.last", 1, 2)])
            x = F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)
        return features


def _convolve(
    x: Tensor, w: dict[str, Tensor], name: str, stride: int = 1, padding: int = 0
) -> Tensor:
    return F.conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"], stride, padding)


def _leaves(network: nn.Module) -> dict[str, Tensor]:
    leaves = {name: _leaf(parameter) for name, parameter in network.named_parameters()}
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            leaves.setdefault(f"{name}.bias", _leaf(layer.weight.new_zeros(layer.out_channels)))
    return leaves


def _leaf(parameter: Tensor) -> Tensor:
    copy = parameter.detach().clone(memory_format=torch.contiguous_format)
    return copy.requires_grad_()


def _kind(layer: nn.Module) -> str:
    if isinstance(layer, nn.ConvTranspose2d):
        return "up"
    if isinstance(layer, nn.Conv2d):
        return "stem" if layer.kernel_size == (7, 7) else "down"
    return {"InstanceNorm": "norm", "ReLU": "relu"}.get(type(layer).__name__, "block")
