"""Inception features a second against torchmetrics' own extractor, with the same weights."""

import hashlib
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torchmetrics.image.fid import NoTrainInceptionV3

from carsynth.metrics import inception
from carsynth.metrics.extractor import CHUNK, Extractor, features_of
from carsynth.metrics.inception import InceptionFeatures, load_fid_inception

WARM_UP, ROUNDS = 2, 7
SIZES = ((128, 224), (256, 256))


class Speed(NamedTuple):
    """Medians over the rounds, and the worst difference."""

    reference: float
    """Pictures a second of torchmetrics' extractor."""
    ratio: float
    difference: float
    """Length of a feature vector's difference by the length of the vector, the largest."""


def write_weights(path: Path) -> str:
    """Writes a file of the published one's names and shapes; the first digits of its SHA-256."""
    network = InceptionFeatures(2048, "inception").to_empty(device="cpu")
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                deviation = (2 / module.weight[0].numel()) ** 0.5
                module.weight.normal_(0.0, deviation, generator=generator)
            if isinstance(module, nn.BatchNorm2d):
                module.reset_parameters()
                module.weight.uniform_(0.8, 1.2, generator=generator)
                module.bias.uniform_(-0.1, 0.1, generator=generator)
    state = network.state_dict()
    state["fc.weight"], state["fc.bias"] = torch.zeros(1008, 2048), torch.zeros(1008)
    torch.save(state, path)
    return hashlib.sha256(path.read_bytes()).hexdigest()[:8]


def extractors() -> tuple[Extractor, NoTrainInceptionV3]:
    """The product's, and torchmetrics' with the resize that FID is defined by."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "inception.pth")
        with patch.object(inception, "WEIGHTS_SHA256", write_weights(path)):
            ours = load_fid_inception(str(path))
        theirs = NoTrainInceptionV3("inception-v3-compat", ["2048"], str(path), antialias=False)
    return ours, theirs


def speed(ours: Extractor, theirs: NoTrainInceptionV3, size: tuple[int, int]) -> Speed:
    """Both turn by turn on the same chunk of pictures."""
    photo = torch.randint(0, 256, (CHUNK, 3, *size), generator=torch.Generator().manual_seed(0))
    photo = photo.to(torch.uint8)

    def timed(extract: Callable[[], Tensor]) -> tuple[float, Tensor]:
        began = time.perf_counter()
        features = extract()
        return time.perf_counter() - began, features

    seconds, ratios, difference = [], [], 0.0
    for _ in range(WARM_UP + ROUNDS):
        with torch.no_grad():
            reference, expected = timed(lambda: theirs(photo))
        product, found = timed(lambda: features_of(ours, photo))
        seconds.append(reference)
        ratios.append(reference / product)
        worst = ((found - expected).norm(dim=1) / expected.norm(dim=1)).max()
        difference = max(difference, float(worst))
    median = statistics.median
    return Speed(CHUNK / median(seconds[WARM_UP:]), median(ratios[WARM_UP:]), difference)


def main() -> None:
    """Prints the table."""
    ours, theirs = extractors()
    print(f"| 2,048 features, float32, batch {CHUNK} | torchmetrics | carsynth | difference |")
    print("| --- | --- | --- | --- |")
    for size in SIZES:
        found = speed(ours, theirs, size)
        print(
            f"| {size[0]}x{size[1]} | {found.reference:.1f} a second | {found.ratio:.2f} x | "
            f"{found.difference:.1e} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
