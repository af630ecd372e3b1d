"""VGG-19 against torchvision's own layers; how its weights are had and kept out of checkpoints."""

import copy
import hashlib
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import VGG19_Weights
from torchvision.models.vgg import cfgs, make_layers

from carsynth.errors import UserError
from carsynth.losses import perceptual
from carsynth.losses.perceptual import VGG19_FILE, VGG19_SHA256, VGGPerceptual, load_vgg19


@pytest.fixture(scope="module")
def published() -> nn.Sequential:
    """The convolutional part as torchvision builds it, with weights that keep features lively."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = make_layers(cfgs["E"])
        for layer in layers:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight)
    return layers.eval()


@pytest.fixture(scope="module")
def weight_file(published: nn.Sequential, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vgg") / "random.pth"
    state = {f"features.{name}": value for name, value in published.state_dict().items()}
    torch.save(state | {"classifier.0.bias": torch.zeros(4096)}, path)
    return path


@pytest.fixture
def loss(weight_file: Path, monkeypatch: pytest.MonkeyPatch) -> VGGPerceptual:
    checksum = hashlib.sha256(weight_file.read_bytes()).hexdigest()
    monkeypatch.setattr(perceptual, "load_vgg19", partial(load_vgg19, sha256_prefix=checksum))
    return VGGPerceptual(str(weight_file))


@pytest.fixture
def pair() -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(1)
    photos = torch.rand(2, 2, 3, 32, 48, generator=draw) * 2 - 1
    return photos[0], photos[1]


def test_value(loss: VGGPerceptual, published: nn.Sequential, pair: tuple[Tensor, Tensor]) -> None:
    normalise = VGG19_Weights.IMAGENET1K_V1.transforms()
    a, b = (
        (photo * 0.5 + 0.5 - torch.tensor(normalise.mean).view(3, 1, 1))
        / torch.tensor(normalise.std).view(3, 1, 1)
        for photo in pair
    )
    # the first ReLU of each of the five blocks that poolings part
    weight_after = {1: 1 / 32, 6: 1 / 16, 11: 1 / 8, 20: 1 / 4, 29: 1.0}
    expected = 0.0
    with torch.no_grad():
        for place, layer in enumerate(published):
            a, b = layer(a), layer(b)
            weight = weight_after.get(place, 0.0)
            assert not weight or isinstance(layer, nn.ReLU)
            expected += weight * (a - b).abs().mean().item()
    assert expected > 0.1
    assert loss(*pair).item() == pytest.approx(expected, rel=1e-4)
    assert loss(pair[0], pair[0]).item() == 0.0


def test_the_gradient_is_the_fakes_alone(loss: VGGPerceptual, pair: tuple[Tensor, Tensor]) -> None:
    real, fake = (photo.clone().requires_grad_() for photo in pair)
    loss(real, fake).backward()
    assert real.grad is None
    assert fake.grad is not None
    closer = fake.detach() - 1e-2 * fake.grad / fake.grad.norm()
    assert loss(real, closer) < loss(real, fake)


def test_it_is_no_part_of_its_module(loss: VGGPerceptual, pair: tuple[Tensor, Tensor]) -> None:
    module = nn.ModuleDict({"loss": loss, "head": nn.Linear(2, 2)})
    assert [name for name in module.state_dict() if name.startswith("loss")] == []
    assert [name for name, _ in module.named_parameters() if name.startswith("loss")] == []
    assert list(loss.named_buffers()) == []
    module.load_state_dict(module.state_dict(), strict=True)

    before = loss(*pair)
    with torch.no_grad():
        module.train().requires_grad_(True).apply(zero_convolutions)
    assert loss(*pair) == before
    fake = pair[1].clone().requires_grad_()
    module["loss"](pair[0], fake).backward()
    assert all(weight.grad is None for weight in loss._unregistered[0].parameters())
    assert not any(part.training for part in loss._unregistered[0].modules())


def zero_convolutions(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        module.weight.zero_()


def test_it_follows_its_module_to_another_dtype(
    loss: VGGPerceptual, pair: tuple[Tensor, Tensor]
) -> None:
    single = loss(*pair).item()
    module = nn.ModuleDict({"loss": copy.deepcopy(loss)}).double()
    double = module["loss"](*(photo.double() for photo in pair))
    assert double.dtype == torch.float64
    assert double.item() == pytest.approx(single, rel=1e-4)
    assert loss(*pair).item() == single
    with torch.autocast("cpu", torch.bfloat16):
        assert loss(*pair).item() == pytest.approx(single, rel=2e-2)
    assert loss.to("meta")(*(photo.to("meta") for photo in pair)).device.type == "meta"


def test_loading_draws_no_random_numbers(loss: VGGPerceptual, weight_file: Path) -> None:
    state = torch.get_rng_state()
    VGGPerceptual(str(weight_file))
    assert torch.equal(torch.get_rng_state(), state)


def test_one_graph(loss: VGGPerceptual, pair: tuple[Tensor, Tensor]) -> None:
    compiled = torch.compile(loss, backend="eager", fullgraph=True)
    assert compiled(*pair).item() == pytest.approx(loss(*pair).item(), rel=1e-5)


def test_the_published_file_is_asked_for() -> None:
    assert VGG19_Weights.IMAGENET1K_V1.url.endswith(f"/{VGG19_FILE}")
    assert f"-{VGG19_SHA256}." in VGG19_FILE


def test_any_other_file_is_refused(weight_file: Path) -> None:
    with pytest.raises(UserError) as caught:
        VGGPerceptual(str(weight_file))
    message = str(caught.value)
    assert str(weight_file) in message
    assert hashlib.sha256(weight_file.read_bytes()).hexdigest() in message
    assert "loss.perceptual.weights_path=FILE" in message


def test_a_corrupted_file_is_refused(weight_file: Path, tmp_path: Path) -> None:
    content = weight_file.read_bytes()
    corrupted = tmp_path / "corrupted.pth"
    corrupted.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(UserError, match="damaged"):
        load_vgg19(str(corrupted), sha256_prefix=hashlib.sha256(content).hexdigest())


def test_without_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("Network is unreachable")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("socket.create_connection", unreachable)
    with pytest.raises(UserError) as caught:
        VGGPerceptual()
    message = str(caught.value)
    for part in (VGG19_FILE, str(tmp_path), "unreachable", "loss.perceptual.weights_path=FILE"):
        assert part in message
    assert "\n" not in message
