"""Terms beside the adversarial ones: tensors in, scalar out, to be minimised; unweighted."""

import torch
from torch import Tensor


def feature_matching(
    real_features: list[list[Tensor]], fake_features: list[list[Tensor]]
) -> Tensor:
    """How far the discriminators' features of fakes are from those of the real photos; at least 0.

    pix2pixHD (Wang et al. 2018, equation 4) with the weights of its published code: with S
    discriminators and n feature maps before the logits,
    ``sum over discriminators of 1/S * sum over the n maps of 4/n * mean |real - fake|``.
    The published PatchGAN of three strided layers has n = 4, hence weight 1 for each map. The
    paper's factor lambda (10) is the caller's.

    Args:
        real_features: one list a discriminator, in it the outputs of its blocks from first to last
            for the real pair; the last is the logits and does not count. No gradient flows into
            these.
        fake_features: the same for the fakes, of the same shapes.

    Raises:
        ValueError: the lists differ in length, or a discriminator hands over its logits alone.
    """
    terms = []
    for real, fake in zip(real_features, fake_features, strict=True):
        maps = len(fake) - 1
        if maps < 1 or len(real) != len(fake):
            raise ValueError(
                f"feature matching needs as many real as fake maps, and one before the logits: "
                f"got {len(real)} and {len(fake)}"
            )
        distances = [
            (a.detach() - b).abs().mean() for a, b in zip(real[:-1], fake[:-1], strict=True)
        ]
        terms.append(torch.stack(distances).sum() * (4.0 / maps))
    return torch.stack(terms).mean()
