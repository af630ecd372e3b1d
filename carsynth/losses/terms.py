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


def cosine_similarity(features: Tensor, latents: Tensor) -> Tensor:
    """How alike the fakes of a batch look to D beside how alike their latents are; at least 0.

    The mean over all pairs of |cos| of D's features (B, F), over that of the latents (B, L): small
    where different latents give different pictures (carbrandGAN's term against collapse, there with
    signed cosines, whose mean over latents is near 0 and of either sign). No gradient flows into
    the latents. 0 for a batch of one.
    """
    if len(features) < 2:
        return features.sum() * 0.0
    pairs = tuple(torch.triu_indices(len(features), len(features), 1, device=features.device))

    def mean_cosine(rows: Tensor) -> Tensor:
        unit = torch.nn.functional.normalize(rows, dim=1)
        return (unit @ unit.T)[pairs].abs().mean()

    return mean_cosine(features) / mean_cosine(latents.detach()).clamp(min=1e-3)
