"""torchvision's classifiers as extractors, on random weights of the right names and shapes."""

import hashlib
import re
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torchvision import models
from torchvision.transforms.v2.functional import normalize, resize

from carsynth.errors import UserError
from carsynth.metrics import backbone
from carsynth.metrics.backbone import TorchvisionBackbone, fetch_backbone_weights
from carsynth.metrics.extractor import features_of

MODEL = "mobilenet_v3_small"
FILE = "mobilenet_v3_small-047dcff4.pth"


def noise(count: int, height: int, width: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, height, width), generator=generator).byte()


def lively(model: str) -> nn.Module:
    """A model whose batch norm is not the identity."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = models.get_model(model, weights=None)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.uniform_(-0.1, 0.1)
                module.running_var.uniform_(0.8, 1.2)
    return network.eval()


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return lively(MODEL)


@pytest.fixture(scope="module")
def weight_file(network: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("backbone") / "own.pth"
    torch.save(network.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def extractor(weight_file: Path) -> TorchvisionBackbone:
    return TorchvisionBackbone(MODEL, weights_path=str(weight_file))


def prepared(photo: Tensor) -> Tensor:
    preset = models.get_model_weights(MODEL).DEFAULT.transforms()
    x = resize(photo.float() / 255, [224, 224], antialias=True)
    return normalize(x, preset.mean, preset.std)


@pytest.mark.parametrize(("height", "width"), [(64, 112), (300, 240)])
def test_features_are_torchvisions_own(
    extractor: TorchvisionBackbone, network: nn.Module, height: int, width: int
) -> None:
    photo = noise(2, height, width)
    with torch.no_grad():
        expected = network.avgpool(network.features(prepared(photo))).flatten(1)
    found = features_of(extractor, photo)
    assert found.shape == (2, extractor.num_features) == (2, 576)
    assert found.dtype == torch.float32
    assert expected.std() > 0.01
    assert (found - expected).norm() < 1e-5 * expected.norm()
    assert extractor.logits(found) is None
    assert "224x224" in extractor.resize


def test_a_map_is_averaged_over_its_area(weight_file: Path, network: nn.Module) -> None:
    extractor = TorchvisionBackbone(MODEL, "features.3", str(weight_file))
    photo = noise(2, 50, 50)
    with torch.no_grad():
        expected = network.features[:4](prepared(photo)).mean((2, 3))
    assert extractor.num_features == expected.shape[1] == 24
    assert (extractor(photo) - expected).norm() < 1e-5 * expected.norm()


def test_tokens_are_averaged_and_other_layouts_refused() -> None:
    tokens = torch.randn(2, 5, 7)
    assert torch.equal(backbone._vectors(tokens, "encoder"), tokens.mean(1))
    for output in (torch.zeros(2, 7, 7, 96), torch.zeros(2), (3, 4)):
        with pytest.raises(UserError, match=r"the layer features\.5 gives"):
            backbone._vectors(output, "features.5")


def test_frozen(extractor: TorchvisionBackbone) -> None:
    photo = noise(1, 40, 40)
    before = extractor(photo)
    extractor.train()
    assert not any(module.training for module in extractor.modules())
    assert not any(weight.requires_grad for weight in extractor.parameters())
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(extractor(photo), before)


def test_names_and_fingerprints_tell_weights_and_layers_apart(
    extractor: TorchvisionBackbone, weight_file: Path, network: nn.Module, tmp_path: Path
) -> None:
    digest = hashlib.sha256(weight_file.read_bytes()).hexdigest()[:8]
    assert extractor.name == f"{MODEL}_{digest}"
    again = TorchvisionBackbone(MODEL, weights_path=str(weight_file))
    assert again.fingerprint == extractor.fingerprint

    layer = TorchvisionBackbone(MODEL, "features.3", str(weight_file))
    assert layer.name == f"{MODEL}_features_3_{digest}"
    other = tmp_path / "other.pth"
    state = {name: value.clone() for name, value in network.state_dict().items()}
    state["features.0.0.weight"][0] += 1e-4
    torch.save(state, other)
    found = {extractor.fingerprint, layer.fingerprint}
    found.add(TorchvisionBackbone(MODEL, weights_path=str(other)).fingerprint)
    assert len(found) == 3


def test_the_published_file_gives_the_models_own_name(
    weight_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = hashlib.sha256(weight_file.read_bytes()).hexdigest()
    monkeypatch.setattr(backbone, "_checksum", lambda url: digest[:8])
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    cached = tmp_path / "checkpoints" / FILE
    cached.parent.mkdir()
    cached.write_bytes(weight_file.read_bytes())
    assert fetch_backbone_weights(MODEL) == cached
    assert TorchvisionBackbone(MODEL).name == MODEL
    assert TorchvisionBackbone(MODEL, "features.3").name == f"{MODEL}_features_3"
    assert TorchvisionBackbone(MODEL, weights_path=str(weight_file)).name == MODEL


def test_every_published_file_name_holds_its_checksum() -> None:
    for model in models.list_models(module=models):
        url = models.get_model_weights(model).DEFAULT.url
        assert re.fullmatch(r"[0-9a-f]{8,}", backbone._checksum(url)), url


def test_another_file_in_the_cache_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    cached = tmp_path / "checkpoints" / FILE
    cached.parent.mkdir()
    cached.write_bytes(b"not the weights")
    with pytest.raises(UserError, match=r"047dcff4.*metric\.weights_path=FILE"):
        TorchvisionBackbone(MODEL)


def test_a_head_for_other_classes_is_no_hindrance(
    extractor: TorchvisionBackbone, network: nn.Module, tmp_path: Path
) -> None:
    state = network.state_dict()
    state["classifier.3.weight"], state["classifier.3.bias"] = torch.zeros(7, 1024), torch.zeros(7)
    del state["classifier.0.bias"]
    torch.save(state, tmp_path / "tuned.pth")
    tuned = TorchvisionBackbone(MODEL, weights_path=str(tmp_path / "tuned.pth"))
    photo = noise(1, 32, 32)
    assert torch.equal(tuned(photo), extractor(photo))


def test_densenets_old_names_are_understood(tmp_path: Path) -> None:
    state = lively("densenet121").state_dict()
    old = {re.sub(r"(layer\d+\.(?:norm|conv))(\d)\.", r"\1.\2.", n): v for n, v in state.items()}
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    features = []
    for name, values in (("new", state), ("old", old)):
        torch.save(values, tmp_path / name)
        network = TorchvisionBackbone("densenet121", "adaptive_avg_pool2d", str(tmp_path / name))
        features.append(network(noise(1, 32, 32)))
    assert torch.equal(*features)


def test_building_draws_nothing_from_the_global_random_state(weight_file: Path) -> None:
    state = torch.get_rng_state()
    TorchvisionBackbone(MODEL, weights_path=str(weight_file))
    assert torch.equal(torch.get_rng_state(), state)


def complaint(model: str, layer: str = "avgpool", weights_path: Path | None = None) -> str:
    with pytest.raises(UserError) as caught:
        TorchvisionBackbone(model, layer, None if weights_path is None else str(weights_path))
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_unknown_models_and_layers_are_told_what_there_is(weight_file: Path) -> None:
    message = complaint("resnet5")
    assert "resnet5:" in message
    assert "resnet50" in message
    message = complaint(MODEL, "layer4", weight_file)
    assert "layer4" in message
    assert "features.12, avgpool, flatten" in message


def test_weights_that_are_not_this_models(weight_file: Path, tmp_path: Path) -> None:
    assert str(tmp_path / "none.pth") in complaint(MODEL, weights_path=tmp_path / "none.pth")
    message = complaint("resnet18", weights_path=weight_file)
    assert str(weight_file) in message
    assert "conv1.weight" in message
    (tmp_path / "text.pth").write_text("not a file of torch's")
    assert "holds no state dict" in complaint(MODEL, weights_path=tmp_path / "text.pth")
    torch.save(nn.Linear(1, 1), tmp_path / "code.pth")
    assert "holds no state dict" in complaint(MODEL, weights_path=tmp_path / "code.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    assert "holds no state dict" in complaint(MODEL, weights_path=tmp_path / "list.pth")
