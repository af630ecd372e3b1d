import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x
from torchmetrics.image.fid import NoTrainInceptionV3

from carsynth.errors import UserError
from carsynth.metrics import inception
from carsynth.metrics.gaussian import frechet_distance, gaussian_of_features
from carsynth.metrics.inception import (
    InceptionFeatures,
    load_fid_inception,
    random_inception,
    resize_like_tensorflow,
)


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


def test_the_random_network_names_itself_by_its_seed(network: InceptionFeatures) -> None:
    assert network.name == random_inception().name == "random_inception"
    assert network.logits(torch.zeros(1, 768)) is None
    other = random_inception(seed=1)
    assert other.name == "random_inception_seed1"
    assert other.fingerprint != network.fingerprint
    expected = "3c26d9c03c6d55ccbbe846f1060a3c058f28e5b03692cd0662768c00c337fb16"
    assert network.fingerprint == expected  # the same on every machine


def test_the_fingerprint_is_of_the_weights_too(network: InceptionFeatures) -> None:
    other = random_inception()
    with torch.no_grad():
        other.Mixed_5b.branch1x1.conv.weight[3, 2, 0, 0] += 1e-6
    assert other.fingerprint != network.fingerprint


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


def test_no_coarser_float32_reaches_inside(network: InceptionFeatures) -> None:
    """Looked up within the first layer: not every processor rounds as it is allowed to."""

    def look(*_: object) -> None:
        inside.extend(place.fp32_precision for place in places)

    backends = torch.backends
    places = (backends.cudnn.conv, backends.cuda.matmul, backends.mkldnn.matmul)
    inside: list[str] = []
    before = torch.get_float32_matmul_precision()
    hook = network.Conv2d_1a_3x3.register_forward_pre_hook(look)
    torch.set_float32_matmul_precision("medium")
    try:
        outside = [place.fp32_precision for place in places]
        network(noise(1, 32, 32))
        assert inside == ["ieee"] * 3
        assert [place.fp32_precision for place in places] == outside == ["tf32", "tf32", "bf16"]
    finally:
        torch.set_float32_matmul_precision(before)
        hook.remove()


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (2, 7), (128, 224), (299, 299), (300, 298), (576, 768)]
)
def test_the_resize_is_the_reference_implementations(height: int, width: int) -> None:
    photo = noise(2, height, width)
    expected = interpolate_bilinear_2d_like_tensorflow1x(
        photo.float(), size=(299, 299), align_corners=False
    )
    assert torch.equal(resize_like_tensorflow(photo, 299), expected)


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
    network = InceptionFeatures(2048, "inception").to_empty(device="cpu")
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
    state["fc.weight"] = torch.randn(1008, 2048, generator=generator)
    state["fc.bias"] = torch.randn(1008, generator=generator)
    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    torch.save(state, path)
    yield path
    path.unlink()


def trusted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(inception, "WEIGHTS_SHA256", digest[:8])


def test_fid_features_equal_the_reference_implementations(
    published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So folding, layout and resize change nothing; rectangular, larger and smaller than 299."""
    trusted(published, monkeypatch)
    fidelity = FeatureExtractorInceptionV3(
        "inception-v3-compat", ["2048", "logits_unbiased"], str(published)
    )
    torchmetrics = NoTrainInceptionV3(
        "inception-v3-compat", ["2048"], str(published), antialias=False
    )
    ours = load_fid_inception(str(published))
    assert (ours.name, ours.num_features) == ("inception", 2048)
    assert "299x299" in ours.resize
    for height, width in ((128, 224), (320, 400)):
        photo = noise(2, height, width)
        features = ours(photo)
        expected, logits = fidelity(photo)
        assert expected.std() > 0.01
        assert apart(features, expected) < 1e-5
        assert apart(features, torchmetrics(photo)) < 1e-5
        scores = ours.logits(features)
        assert scores is not None
        assert scores.shape == (2, 1008)
        assert apart(scores, logits) < 1e-5


def apart(found: Tensor, expected: Tensor) -> float:
    """Length of a row's difference by the length of the row, the largest."""
    return float(((found - expected).norm(dim=1) / expected.norm(dim=1)).max())


def test_a_wrong_weight_file_is_a_users_error(tmp_path: Path) -> None:
    path = tmp_path / "inception.pth"
    path.write_bytes(b"not the weights")
    checksum = hashlib.sha256(b"not the weights").hexdigest()
    with pytest.raises(UserError, match=rf"{checksum}.*6726825d.*metric\.weights_path=FILE"):
        load_fid_inception(str(path))


def test_a_weight_file_with_code_is_not_executed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "inception.pth"
    torch.save(nn.Linear(1, 1), path)
    trusted(path, monkeypatch)
    with pytest.raises(Exception, match="Weights only load failed"):
        load_fid_inception(str(path))
