import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from carsynth.errors import UserError
from carsynth.metrics import inception
from carsynth.metrics.frechet import frechet_distance, gaussian_of_features
from carsynth.metrics.inception import InceptionFeatures, load_fid_inception, random_inception


def noise(count: int, height: int, width: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, height, width), generator=generator).byte()


@pytest.fixture(scope="module")
def network() -> InceptionFeatures:
    return random_inception()


def test_the_random_weights_are_these_bytes_on_every_machine(network: InceptionFeatures) -> None:
    digest = hashlib.sha256()
    for name, weight in network.state_dict().items():
        digest.update(name.encode() + weight.contiguous().numpy().tobytes())
    expected = "03f82c27435c0232a94a398a83958d84e5338fba95ae6bf6463d62f250273da7"
    assert digest.hexdigest() == expected


def test_the_random_weights_have_he_variance(network: InceptionFeatures) -> None:
    for weight in network.parameters():
        fan_in = weight[0].numel()
        assert weight.var().item() == pytest.approx(2 / fan_in, rel=0.1)
        assert abs(weight.mean().item()) < 0.1 * (2 / fan_in) ** 0.5


def test_building_draws_nothing_from_the_global_random_state() -> None:
    state = torch.get_rng_state()
    other = random_inception(seed=1)
    assert torch.equal(state, torch.get_rng_state())
    assert not torch.equal(next(other.parameters()), next(random_inception(seed=0).parameters()))


def test_features_are_float32_of_a_frozen_network_in_eval_mode(network: InceptionFeatures) -> None:
    features = network.train()(noise(2, 64, 112))
    assert features.shape == (2, network.num_features) == (2, 768)
    assert features.dtype == torch.float32
    assert not features.requires_grad
    assert not any(p.requires_grad for p in network.parameters())
    assert not any(m.training for m in network.modules())


def test_autocast_does_not_reach_inside(network: InceptionFeatures) -> None:
    photo = noise(1, 32, 32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = network(photo)
    assert torch.equal(inside, network(photo))


@pytest.mark.slow
def test_the_random_distance_rises_with_each_fault(network: InceptionFeatures) -> None:
    """Against the floor of smooth pictures: noise of two strengths, blur of two widths."""
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(48, 3, 8, 8, generator=generator) * 255
    smooth = torch.nn.functional.interpolate(coarse, scale_factor=8)
    grain = torch.randn(smooth.shape, generator=generator)

    def blurred(photo: Tensor, width: int) -> Tensor:
        return avg_pool2d(photo, width, 1, width // 2, count_include_pad=False)

    def score(photo: Tensor) -> float:
        fakes = network(photo.clamp(0, 255).round().byte()[24:])
        return frechet_distance(reals, gaussian_of_features(fakes))

    reals = gaussian_of_features(network(smooth.round().byte()[:24]))
    floor = score(smooth)
    assert floor < score(smooth + 15 * grain) < score(smooth + 60 * grain)
    assert floor < score(blurred(smooth, 5)) < score(blurred(smooth, 17))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file like the published one: its names and shapes, random values, batch norm included."""
    network = InceptionFeatures(2048).to_empty(device="cpu")
    generator = torch.Generator().manual_seed(0)
    for block in network.modules():
        if isinstance(block, nn.Conv2d):
            fan_in = block.weight[0].numel()
            with torch.no_grad():
                block.weight.normal_(0.0, (2 / fan_in) ** 0.5, generator=generator)
        if isinstance(block, nn.BatchNorm2d):
            with torch.no_grad():
                block.weight.uniform_(0.8, 1.2, generator=generator)
                block.bias.uniform_(-0.1, 0.1, generator=generator)
                assert block.running_mean is not None
                assert block.running_var is not None
                assert block.num_batches_tracked is not None
                block.running_mean.uniform_(-0.1, 0.1, generator=generator)
                block.running_var.uniform_(0.8, 1.2, generator=generator)
                block.num_batches_tracked.zero_()
    state = network.state_dict()
    state["fc.weight"], state["fc.bias"] = torch.zeros(1008, 2048), torch.zeros(1008)
    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    torch.save(state, path)
    yield path
    path.unlink()


def trusted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(inception, "WEIGHTS_SHA256", digest[:8])


def test_fid_features_equal_torch_fidelitys(
    published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So folding, layout and resize change nothing; rectangular, larger and smaller than 299."""
    trusted(published, monkeypatch)
    theirs = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], str(published))
    ours = load_fid_inception(str(published))
    assert ours.num_features == 2048
    for height, width in ((128, 224), (320, 400)):
        photo = noise(2, height, width)
        (expected,) = theirs(photo)
        assert torch.allclose(ours(photo), expected, rtol=1e-4, atol=1e-5)
        assert expected.std() > 0.01


def test_a_wrong_weight_file_is_a_users_error(tmp_path: Path) -> None:
    path = tmp_path / "inception.pth"
    path.write_bytes(b"not the weights")
    with pytest.raises(UserError, match=r"metric\.weights_path=FILE"):
        load_fid_inception(str(path))


def test_a_weight_file_with_code_is_not_executed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "inception.pth"
    torch.save(nn.Linear(1, 1), path)
    trusted(path, monkeypatch)
    with pytest.raises(Exception, match="Weights only load failed"):
        load_fid_inception(str(path))
