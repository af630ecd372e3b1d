import numpy as np
import pytest
import torch
from torch import Tensor, nn

from carsynth.errors import UserError
from carsynth.networks.layers import halve
from carsynth.networks.pix2pixhd import (
    ColourEncoder,
    FeatureEncoder,
    GlobalGenerator,
    LocalEnhancer,
    MultiScaleDiscriminator,
)


def _count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _one_hot(part_map: Tensor, parts: int) -> Tensor:
    return torch.nn.functional.one_hot(part_map, parts).movedim(-1, 1).float()


def test_parameters_of_the_published_global_generator() -> None:
    """35 Cityscapes classes and an edge map in. Published: 182,546,755, of which 21,376 biases
    stand before a norm: 64 + 128 + 256 + 512 + 1024 + 18 * 1024 + 512 + 256 + 128 + 64.
    """
    down_and_up = 2 * 9 * (64 * 128 + 128 * 256 + 256 * 512 + 512 * 1024)
    blocks = 9 * 2 * 9 * 1024 * 1024
    expected = 49 * 36 * 64 + down_and_up + blocks + 49 * 64 * 3 + 3
    assert expected == 182_546_755 - 21_376
    with torch.device("meta"):
        assert _count(GlobalGenerator(36)) == expected


def test_parameters_of_the_published_local_enhancer() -> None:
    """G1 as above; G2 has width 32, one halving to 64, three blocks, one doubling."""
    local = 49 * 36 * 32 + 9 * 32 * 64 + 3 * 2 * 9 * 64 * 64 + 9 * 64 * 32 + 49 * 32 * 3 + 3
    with torch.device("meta"):
        assert _count(LocalEnhancer(36)) == _count(GlobalGenerator(36)) + local


def test_parameters_of_the_published_discriminator() -> None:
    """36 channels of condition and a photo in, two scales."""
    one = 16 * (39 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512) + 64 + 1
    assert _count(MultiScaleDiscriminator(39)) == 2 * one


def test_parameters_of_the_published_encoder() -> None:
    """Width 16, four halvings to 256 and back, three channels in and out."""
    down_and_up = 2 * 9 * (16 * 32 + 32 * 64 + 64 * 128 + 128 * 256)
    assert _count(FeatureEncoder()) == 49 * 3 * 16 + down_and_up + 49 * 16 * 3 + 3


def test_width_stops_at_its_maximum() -> None:
    generator = GlobalGenerator(4, width=8, downsamplings=3, blocks=1, max_width=16)
    widest = max(p.shape[0] for p in generator.parameters())
    assert widest == 16
    assert generator(torch.randn(1, 4, 16, 16)).shape == (1, 3, 16, 16)


@pytest.mark.parametrize("size", [(32, 48), (64, 32)])
def test_generator_shapes_and_range(size: tuple[int, int]) -> None:
    generator = GlobalGenerator(5, width=4, downsamplings=3, blocks=1)
    condition = 50 * torch.randn(2, 5, *size)
    assert generator.features(condition).shape == (2, 4, *size)
    photo = generator(condition)
    assert photo.shape == (2, 3, *size)
    assert photo.abs().max() <= 1.0
    photo.sum().backward()
    assert all(p.grad is not None for p in generator.parameters())


def test_generator_stops_at_sizes_that_do_not_fit() -> None:
    generator = GlobalGenerator(5, width=2, downsamplings=3, blocks=1)
    with pytest.raises(UserError, match=r"36x48.* 32x48 or 40x48"):
        generator(torch.randn(1, 5, 36, 48))
    enhancer = LocalEnhancer(5, 2, global_downsamplings=2, global_blocks=1, enhancers=2)
    enhancer.check_size(32, 48)
    with pytest.raises(UserError, match="multiples of 16"):
        enhancer.check_size(40, 48)


def test_weights_are_drawn_as_published() -> None:
    torch.manual_seed(0)
    for network in (GlobalGenerator(20, 16, 2, 2), MultiScaleDiscriminator(23, 16)):
        for parameter in network.parameters():
            if parameter.dim() == 4 and parameter.numel() > 5000:
                assert parameter.std().item() == pytest.approx(0.02, rel=0.05)
                assert abs(parameter.mean().item()) < 2e-3


@pytest.mark.parametrize("enhancers", [1, 2])
def test_enhancer_shapes_and_gradients(enhancers: int) -> None:
    network = LocalEnhancer(
        5, 2, global_downsamplings=1, global_blocks=1, enhancers=enhancers, local_blocks=1
    )
    photo = network(torch.randn(2, 5, 32, 48))
    assert photo.shape == (2, 3, 32, 48)
    photo.sum().backward()
    idle = {name for name, p in network.named_parameters() if p.grad is None}
    assert idle == {"global_generator.output.weight", "global_generator.output.bias"}


def test_enhancer_takes_a_trained_global_generator_and_adds_its_features() -> None:
    torch.manual_seed(0)
    trained = GlobalGenerator(5, width=8, downsamplings=1, blocks=1)
    network = LocalEnhancer(5, 4, global_downsamplings=1, global_blocks=1, local_blocks=1)
    network.global_generator.load_state_dict(trained.state_dict())
    condition = torch.randn(1, 5, 16, 24)
    below = trained.features(halve(condition))
    own = network.halvers[0](condition)
    assert below.shape == own.shape
    expected = torch.tanh(network.output(network.doublers[0](own + below)))
    torch.testing.assert_close(network(condition), expected)

    network.global_generator.requires_grad_(False)
    network(condition).sum().backward()
    assert all(p.grad is None for p in network.global_generator.parameters())
    assert all(p.grad is not None for p in network.halvers.parameters())


@pytest.mark.parametrize("scales", [1, 2, 3])
def test_discriminator_shapes(scales: int) -> None:
    discriminator = MultiScaleDiscriminator(5 + 3, width=4, scales=scales)
    features = discriminator(torch.randn(2, 5, 64, 96), torch.randn(2, 3, 64, 96))
    assert len(features) == scales
    for index, maps in enumerate(features):
        height, width = 64 // 2**index, 96 // 2**index
        shapes = []
        for channels in (4, 8, 16):
            height, width = height // 2 + 1, width // 2 + 1  # padding 2 adds a row and a column
            shapes.append((2, channels, height, width))
        shapes += [(2, 32, height + 1, width + 1), (2, 1, height + 2, width + 2)]
        assert [tuple(m.shape) for m in maps] == shapes


def test_patches_are_70_pixels_wide() -> None:
    """Norms are taken out, since they see the whole picture."""
    network = MultiScaleDiscriminator(4, width=2, scales=1).double()
    for module in network.modules():
        if hasattr(module, "norm"):
            module.norm = nn.Identity()
    photo = torch.randn(1, 3, 160, 160, dtype=torch.float64, requires_grad=True)
    logits = network(torch.zeros(1, 1, 160, 160, dtype=torch.float64), photo)[0][-1]
    (gradient,) = torch.autograd.grad(logits[0, 0, 11, 11], photo)
    columns = gradient.abs().sum(dim=(0, 1, 2)).nonzero().flatten()
    assert (columns.max() - columns.min() + 1).item() == 70


def test_discriminator_is_a_convolution_of_condition_and_photo_together() -> None:
    torch.manual_seed(0)
    discriminator = MultiScaleDiscriminator(5 + 3, width=4, scales=2).double()
    condition = torch.randn(2, 5, 32, 48, dtype=torch.float64)
    photo = torch.randn(2, 3, 32, 48, dtype=torch.float64)
    both = torch.cat([condition, photo], dim=1)
    for scale, maps in zip(discriminator.scales, discriminator(condition, photo), strict=True):
        expected = torch.nn.functional.leaky_relu(scale.first(both), 0.2)
        torch.testing.assert_close(maps[0], expected)
        both = halve(both)


def test_encoder_fills_each_part_of_each_picture_with_its_mean() -> None:
    torch.manual_seed(0)
    encoder = FeatureEncoder(3, 2, width=2, downsamplings=2)
    photo = torch.randn(2, 3, 16, 24)
    part_map = torch.zeros(2, 16, 24, dtype=torch.long)
    part_map[0, 4:8, 3:9] = 2
    part_map[1, :, 12:] = 1
    filled = encoder(photo, _one_hot(part_map, 4))
    features = encoder.body(photo)
    for picture in range(2):
        for part in range(4):
            where = part_map[picture] == part
            if where.any():
                mean = features[picture][:, where].mean(dim=1)
                expected = mean[:, None].expand(-1, int(where.sum()))
                torch.testing.assert_close(filled[picture][:, where], expected)
    means = encoder.means(photo, _one_hot(part_map, 4))
    assert means.shape == (2, 4, 2)
    assert torch.equal(means[:, 3], torch.zeros(2, 2))


def test_encoder_learns_from_what_the_parts_are_told() -> None:
    encoder = FeatureEncoder(3, 2, width=2, downsamplings=1)
    regions = _one_hot(torch.randint(4, (1, 8, 8)), 4)
    encoder(torch.randn(1, 3, 8, 8), regions).pow(2).sum().backward()
    assert all(p.grad is not None for p in encoder.parameters())


def test_the_colour_of_a_part_is_its_mean_in_each_picture() -> None:
    torch.manual_seed(0)
    encoder = ColourEncoder()
    photo = 2 * torch.rand(2, 3, 15, 23) - 1  # of any size
    part_map = torch.randint(4, (2, 15, 23))
    part_map[1][part_map[1] == 2] = 3  # absent from the second picture
    means = encoder.means(photo, _one_hot(part_map, 5))
    assert means.shape == (2, 5, encoder.out_channels) == (2, 5, 3)
    pixels, ids = photo.movedim(1, 3).numpy(), part_map.numpy()
    for picture in range(2):
        for part in range(5):
            own = [
                pixels[picture, y, x]
                for y in range(15)
                for x in range(23)
                if ids[picture, y, x] == part
            ]
            expected = np.mean(own, axis=0) if own else np.zeros(3)
            np.testing.assert_allclose(means[picture, part].numpy(), expected, atol=1e-6)
    assert not means[1, 2].any()
    assert not means[:, 4].any()
    assert means[0, 2].any()
    assert not list(encoder.parameters())
