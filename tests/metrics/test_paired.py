"""SSIM, PSNR and LPIPS against torchmetrics, on what cannot be measured, and over processes."""

import copy
import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor
from torchmetrics.functional.image import (
    learned_perceptual_image_patch_similarity,
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)
from torchvision.models import AlexNet_Weights, alexnet

from carsynth.errors import UserError
from carsynth.metrics import paired
from carsynth.metrics.figure import Value
from carsynth.metrics.paired import (
    ALEXNET_SHA256,
    PairedFigure,
    PeakSignalToNoise,
    PerceptualDistance,
    StructuralSimilarity,
)
from carsynth.metrics.ssim import structural_similarity

ALEXNET_FILE = "alexnet-owt-7be5be79.pth"

Pair = tuple[Tensor, Tensor]


def pairs(count: int, height: int = 40, width: int = 56) -> Pair:
    """Generated and real pictures; each pair is a little further apart than the one before."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(count, 3, 4, 4, generator=generator) * 255
    real = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bilinear")
    grain = torch.randn(real.shape, generator=generator)
    fake = real + grain * torch.arange(1, count + 1).view(-1, 1, 1, 1) * 3
    return fake.round().clamp(0, 255).byte(), real.round().byte()


def ssim(fake: Tensor, real: Tensor) -> Tensor:
    values = structural_similarity_index_measure(
        fake.double(), real.double(), data_range=255.0, reduction="none"
    )
    assert isinstance(values, Tensor)
    return values


def psnr(fake: Tensor, real: Tensor) -> Tensor:
    return torch.stack(
        [
            peak_signal_noise_ratio(a.double() / 255, b.double() / 255, data_range=1.0)
            for a, b in zip(fake, real, strict=True)
        ]
    )


@pytest.mark.parametrize(
    ("figure", "expected"), [(StructuralSimilarity(), ssim), (PeakSignalToNoise(), psnr)]
)
def test_mean_and_spread_of_torchmetrics_values(
    figure: PairedFigure, expected: Callable[[Tensor, Tensor], Tensor]
) -> None:
    fake, real = pairs(7)
    figure.update(fake[:5], real[:5])
    figure.update(fake[5:], real[5:])
    values = expected(fake, real)
    assert values.std() > 0.05
    assert figure.compute() == pytest.approx((values.mean().item(), values.std().item()), rel=1e-6)

    figure.reset()
    figure.update(fake[:1], real[:1])
    assert figure.compute() == Value(pytest.approx(values[0].item(), rel=1e-6), None)


def test_more_than_a_chunk_at_once() -> None:
    fake, real = pairs(70, 12, 12)
    figure = StructuralSimilarity()
    figure.update(fake, real)
    assert figure.compute().value == pytest.approx(ssim(fake, real).mean().item(), rel=1e-6)


@pytest.mark.parametrize(("height", "width"), [(11, 11), (11, 30), (64, 112)])
def test_ssim_is_torchmetrics_in_float64(height: int, width: int) -> None:
    fake, real = pairs(3, height, width)
    found = structural_similarity(fake, real)
    assert found.numpy() == pytest.approx(ssim(fake, real).numpy(), rel=1e-9)


def test_a_picture_on_white_is_exactly_like_itself() -> None:
    """For which torchmetrics in float32 is not good enough."""
    _, real = pairs(2)
    real[..., :30] = 255
    assert structural_similarity(real, real).numpy() == pytest.approx([1.0, 1.0], abs=1e-9)
    single = structural_similarity_index_measure(real.float(), real.float(), data_range=255.0)
    assert isinstance(single, Tensor)
    assert single.item() < 1 - 1e-4


def test_equal_pictures_give_numbers_that_json_knows() -> None:
    fake, real = pairs(3)
    for figure, best in ((StructuralSimilarity(), 1.0), (PeakSignalToNoise(), 100.0)):
        figure.update(real, real)
        value = figure.compute()
        assert value == pytest.approx((best, 0.0), abs=1e-6)
        json.dumps(value, allow_nan=False)
    figure = PeakSignalToNoise()
    figure.update(torch.cat([fake, real]), torch.cat([real, real]))
    assert figure.compute().value == pytest.approx((psnr(fake, real).sum().item() + 300) / 6)


def test_what_is_better() -> None:
    fake, real = pairs(2)
    for figure in (StructuralSimilarity(), PeakSignalToNoise()):
        near, far = copy.deepcopy(figure), copy.deepcopy(figure)
        near.update(fake[:1], real[:1])
        far.update(fake[1:], real[1:])
        assert figure.better == "higher"
        assert near.compute().value > far.compute().value


@pytest.mark.parametrize("figure", [StructuralSimilarity(), PeakSignalToNoise()])
def test_what_cannot_be_compared(figure: PairedFigure) -> None:
    fake, real = pairs(2)
    for other in (real[:, :, :-1], real[:1]):
        with pytest.raises(UserError, match=rf"{figure.name}.*2 of 40x56 generated"):
            figure.update(fake, other)
    with pytest.raises(TypeError, match="uint8"):
        figure.update(fake.float(), real)
    with pytest.raises(UserError, match=f"{figure.name} has no pair"):
        figure.compute()


def test_pictures_smaller_than_the_window() -> None:
    small = torch.zeros(1, 3, 10, 64, dtype=torch.uint8)
    with pytest.raises(UserError, match=r"ssim needs pictures of 11 pixels a side.*10x64"):
        StructuralSimilarity().update(small, small)
    with pytest.raises(UserError, match="lpips needs pictures of 31 pixels a side"):
        PerceptualDistance().update(small, small)


@pytest.fixture(scope="module")
def weight_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file like torchvision's; what LPIPS does not use is zero and takes no room."""
    generator = torch.Generator().manual_seed(0)
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in alexnet(weights=None).state_dict().items()}
    state = {}
    for name, shape in shapes.items():
        if name.startswith("features"):
            scale = (2 / math.prod(shape[1:])) ** 0.5 if len(shape) > 1 else 0.1
            state[name] = torch.randn(shape, generator=generator) * scale
        else:
            state[name] = torch.zeros(1).expand(shape)
    path = tmp_path_factory.mktemp("alexnet") / "random.pth"
    torch.save(state, path)
    return path


@pytest.fixture
def cache(weight_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Torch hub's cache with the file in it, trusted as the published one."""
    cached = tmp_path / "checkpoints" / ALEXNET_FILE
    cached.parent.mkdir()
    cached.symlink_to(weight_file)
    digest = hashlib.sha256(weight_file.read_bytes()).hexdigest()
    monkeypatch.setattr(paired, "ALEXNET_SHA256", digest[:8])
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    return cached


@pytest.mark.usefixtures("cache")
def test_lpips_is_torchmetrics() -> None:
    fake, real = pairs(4)
    figure = PerceptualDistance()
    assert figure.better == "lower"
    state = torch.get_rng_state()
    with torch.autocast("cpu", torch.bfloat16):
        figure.update(fake[:3], real[:3])
    figure.update(fake[3:], real[3:])
    assert torch.equal(torch.get_rng_state(), state)
    values = learned_perceptual_image_patch_similarity(
        fake / 127.5 - 1, real / 127.5 - 1, net_type="alex", reduction="none"
    )
    assert values.min() > 1e-4
    assert figure.compute() == pytest.approx((values.mean().item(), values.std().item()), rel=1e-4)

    assert figure.state_dict() == {}
    assert list(figure.parameters()) == []
    figure.reset()
    figure.update(real, real)
    assert figure.compute() == (0.0, 0.0)
    least = torch.zeros(1, 3, 31, 31, dtype=torch.uint8)
    figure.update(least, least)


def test_the_published_alexnet_is_asked_for() -> None:
    assert AlexNet_Weights.DEFAULT.url.endswith(f"/{ALEXNET_FILE}")
    assert f"-{ALEXNET_SHA256}." in ALEXNET_FILE


def test_another_alexnet_is_refused(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(cache.parent.parent))
    with pytest.raises(UserError, match=rf"{ALEXNET_FILE}.*{ALEXNET_SHA256}.*TORCH_HOME=FOLDER"):
        PerceptualDistance().update(*pairs(1))


def test_lpips_without_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("Network is unreachable")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("socket.create_connection", unreachable)
    figure = PerceptualDistance()
    with pytest.raises(UserError, match=f"{ALEXNET_FILE} is missing.*TORCH_HOME=FOLDER") as caught:
        figure.update(*pairs(1))
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def _process(rank: int, folder: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    fake, real = pairs(7)
    found = []
    for own in (slice(rank, None, 2), slice(0, 7 * (1 - rank))):
        figure = PeakSignalToNoise()
        if len(fake[own]):
            figure.update(fake[own], real[own])
        found.append(tuple(figure.compute()))
    torch.save(found, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_processes_equal_one(tmp_path: Path) -> None:
    """Four pairs and three, then seven and none."""
    mp.spawn(_process, (str(tmp_path),), nprocs=2)
    figure = PeakSignalToNoise()
    figure.update(*pairs(7))
    for rank in range(2):
        for found in torch.load(tmp_path / f"{rank}.pt"):
            assert found == pytest.approx(tuple(figure.compute()), rel=1e-9)
