"""The networks of the car brands: shapes, spectral norms, heads, slopes and attention."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from carsynth.errors import UserError
from carsynth.networks.attention import SelfAttention
from carsynth.networks.conditional import BrandDiscriminator, BrandGenerator, _Up
from carsynth.networks.heads import EmbeddingHead, HeadFactory, PlainHead, ProjectionHead
from carsynth.networks.latent import LatentInput, PixelNorm
from carsynth.networks.mish import Mish

HEADS: list[HeadFactory] = [PlainHead, EmbeddingHead, ProjectionHead]


def shapes_of(network: nn.Module, kinds: tuple[type[nn.Module], ...]) -> list[tuple[int, ...]]:
    """Fills up, as the network runs, with what its layers of some kinds give."""
    seen: list[tuple[int, ...]] = []
    for module in network.modules():
        if isinstance(module, kinds):
            module.register_forward_hook(lambda _, __, out: seen.append(tuple(out.shape[1:])))
    return seen


def test_the_published_shapes() -> None:
    generator = BrandGenerator(3, (128, 224), 100, classes=50)
    judge = BrandDiscriminator(3, (128, 224), classes=50, head=EmbeddingHead)
    drawn = shapes_of(generator, (LatentInput, nn.ConvTranspose2d))
    judged = shapes_of(judge, (nn.Conv2d,))
    with torch.no_grad():
        picture = generator(torch.randn(2, 100), torch.tensor([0, 49]))
        judgement = judge(picture, torch.tensor([0, 49]))
    assert drawn == [
        (512, 4, 7),
        (256, 8, 14),
        (128, 16, 28),
        (64, 32, 56),
        (64, 64, 112),
        (3, 128, 224),
    ]
    assert judged == [(64, 64, 112), (64, 32, 56), (128, 16, 28), (256, 8, 14), (512, 4, 7)]
    assert judgement.logits.shape == (2,)
    assert judgement.features.shape == (2, 512 * 4 * 7)
    assert generator.input.embedding.weight.shape == (50, 50)
    assert judge.head.embedding.weight.shape == (50, 50)


def test_kinds_between_the_convolutions() -> None:
    for pixel_norm in (False, True):
        body = BrandGenerator(3, (32, 56), 8, width=4, pixel_norm=pixel_norm).body
        kinds = [
            type(module).__mro__[1 if parametrize.is_parametrized(module) else 0] for module in body
        ]
        between = [nn.BatchNorm2d, Mish] + [PixelNorm] * pixel_norm
        assert kinds == [*between, _Up] * 3
    convolutions = [m for m in body if isinstance(m, nn.ConvTranspose2d)]
    convolutions += list(BrandDiscriminator(3, (32, 56), width=4).convs)
    for conv in convolutions:
        assert (conv.kernel_size, conv.stride) == ((4, 4), (2, 2))


@pytest.mark.parametrize("size", [(8, 8), (16, 24), (32, 56), (40, 72), (96, 64)])
def test_any_size_and_width(size: tuple[int, int]) -> None:
    for width in (4, 6):
        picture = BrandGenerator(20, size, 8, width=width)(torch.randn(2, 8))
        assert picture.shape == (2, 20, *size)
        judged = BrandDiscriminator(20, size, width=width)(picture)
        assert judged.logits.shape == (2,)
        assert judged.features.shape[1] % width == 0


def test_maps_have_eight_times_the_width_at_most() -> None:
    generator = BrandGenerator(3, (256, 256), 8, width=2)
    ups = [module for module in generator.modules() if isinstance(module, nn.ConvTranspose2d)]
    assert [conv.in_channels for conv in ups] == [16, 16, 8, 4, 2, 2]
    judge = BrandDiscriminator(3, (256, 256), width=2)
    assert [conv.out_channels for conv in judge.convs] == [2, 2, 4, 8, 16, 16]


def test_every_layers_largest_singular_value_is_one() -> None:
    torch.manual_seed(0)
    size = (64, 64)
    generator = BrandGenerator(3, size, 8, classes=3, width=8, attention=True)
    head = ProjectionHead
    judge = BrandDiscriminator(3, size, 3, 8, head, auxiliary=True, attention=True)
    checked = []
    for module in (*generator.modules(), *judge.modules()):
        if not isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            continue
        for _ in range(200):  # each look while training is a step of power iteration
            weight = module.weight
        if isinstance(module, nn.ConvTranspose2d):
            weight = weight.transpose(0, 1)
        largest = torch.linalg.svdvals(weight.detach().flatten(1))[0].item()
        assert largest == pytest.approx(1.0, abs=2e-3)
        checked.append(type(module).__name__)
    # input, four to the picture and attention's four; four, head, classifier and attention's four
    assert len(checked) == 1 + 4 + 4 + 4 + 2 + 4
    of_classes = judge.head.embedding
    for _ in range(200):
        weight = of_classes.weight
    assert torch.linalg.svdvals(weight.detach())[0].item() == pytest.approx(1.0, abs=2e-3)


def test_the_class_matters_to_both() -> None:
    torch.manual_seed(0)
    generator = BrandGenerator(3, (16, 24), 8, classes=3, width=4).eval()
    drawn = generator(torch.randn(1, 8).expand(3, -1), torch.tensor([0, 1, 1]))
    assert torch.allclose(drawn[1], drawn[2], atol=1e-6)
    assert (drawn[0] - drawn[1]).abs().max() > 1e-3
    with pytest.raises(AssertionError, match="draws by class"):
        generator(torch.randn(1, 8))
    for head, matters in ((PlainHead, False), (EmbeddingHead, True), (ProjectionHead, True)):
        judge = BrandDiscriminator(3, (16, 24), 3, 4, head, auxiliary=True).eval()
        judged = judge(drawn[:1].expand(3, -1, -1, -1), torch.tensor([0, 1, 1]))
        assert torch.allclose(judged.logits[1], judged.logits[2], atol=1e-6)
        assert ((judged.logits[0] - judged.logits[1]).abs() > 1e-3).item() is matters
        assert judged.classes is not None
        assert torch.allclose(judged.classes, judge.classifier(judged.features), atol=1e-6)
        assert torch.allclose(judged.classes[0], judged.classes[1], atol=1e-6)
    assert BrandDiscriminator(3, (16, 24), 3, 4)(drawn, None).classes is None


# Heads ------------------------------------------------------------------------------------------


def test_the_plain_head_by_hand() -> None:
    head = PlainHead(2, 0)
    with torch.no_grad():
        head.linear.weight.copy_(torch.tensor([[2.0, -1.0]]))
        head.linear.bias.fill_(0.5)
    logits = head(torch.tensor([[1.0, 3.0], [0.0, 1.0]]), None)
    assert logits.tolist() == [2 - 3 + 0.5, -1 + 0.5]


def test_the_embedding_head_by_hand() -> None:
    head = EmbeddingHead(2, 3, embedding=2)
    with torch.no_grad():
        head.linear.weight.copy_(torch.tensor([[2.0, -1.0, 10.0, 100.0]]))
        head.linear.bias.fill_(0.5)
        head.embedding.weight.copy_(torch.tensor([[0.0, 0.0], [1.0, 2.0], [3.0, 0.0]]))
    features, label = torch.tensor([[1.0, 3.0], [0.0, 1.0], [0.0, 0.0]]), torch.tensor([1, 2, 0])
    logits = head(features, label)
    assert logits.tolist() == [2 - 3 + 10 + 200 + 0.5, -1 + 30 + 0.5, 0.5]
    joined = head.linear(torch.cat([features, head.embedding(label)], 1)).squeeze(1)
    torch.testing.assert_close(logits, joined)


def test_the_projection_head_by_hand() -> None:
    head = ProjectionHead(2, 2)
    with torch.no_grad():
        head.linear.weight.copy_(torch.tensor([[2.0, -1.0]]))
        head.linear.bias.fill_(0.5)
        head.embedding.weight.copy_(torch.tensor([[0.0, 0.0], [10.0, 100.0]]))
    logits = head(torch.tensor([[1.0, 3.0], [1.0, 3.0]]), torch.tensor([0, 1]))
    assert logits.tolist() == [2 - 3 + 0.5, 2 - 3 + 0.5 + 10 + 300]


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("spectral", [False, True])
def test_the_slope_of_a_head_is_autograds(head: Any, spectral: bool) -> None:
    torch.manual_seed(0)
    made = head(5, 3, spectral=spectral).double().eval()
    features = torch.randn(4, 5, dtype=torch.float64, requires_grad=True)
    label = torch.tensor([0, 2, 1, 2])
    (expected,) = torch.autograd.grad(made(features, label).sum(), features)
    slope = made.slope(label)
    assert slope.requires_grad
    torch.testing.assert_close(slope.expand(4, -1), expected)


@pytest.mark.parametrize(("head", "name"), [(EmbeddingHead, "embedding"), (ProjectionHead, "proj")])
def test_a_head_by_class_needs_classes(head: Any, name: str) -> None:
    with pytest.raises(UserError, match=f"arch.head={name}.*arch.conditional=true") as caught:
        BrandDiscriminator(3, (16, 16), 0, 4, head)
    assert "\n" not in str(caught.value)
    with pytest.raises(AssertionError, match="judges by class"):
        head(4, 2)(torch.zeros(1, 4), None)


# The written-out derivative ---------------------------------------------------------------------


def judge_in_float64(head: HeadFactory) -> BrandDiscriminator:
    torch.manual_seed(0)
    judge = BrandDiscriminator(2, (24, 32), 3, 4, head, auxiliary=True).double()
    with torch.no_grad():  # steep enough for the second term of the chain rule to weigh
        for parameter in judge.parameters():
            parameter.mul_(1.5)
    return judge


def pictures(count: int) -> Tensor:
    return torch.randn(count, 2, 24, 32, dtype=torch.float64)


def gradients(of: Tensor, judge: nn.Module) -> dict[str, Tensor]:
    """By name, zeros where a parameter has no part in it."""
    named = dict(judge.named_parameters())
    found = torch.autograd.grad(of, list(named.values()), allow_unused=True, retain_graph=True)
    return {
        name: torch.zeros_like(parameter) if gradient is None else gradient
        for (name, parameter), gradient in zip(named.items(), found, strict=True)
    }


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("training", [False, True], ids=["evaluating", "training"])
def test_written_out_slopes_are_autograds_with_their_gradients(
    head: HeadFactory, training: bool
) -> None:
    judge = judge_in_float64(head).train(training)
    x, label = pictures(3), torch.tensor([0, 1, 2])
    between, between_label = pictures(6), torch.tensor([2, 2, 0, 1, 1, 0])
    with parametrize.cached():  # no step of power iteration between the two looks
        torch.manual_seed(5)
        judged, slopes = judge.with_slopes(x, label, between, between_label)

        torch.manual_seed(5)
        noise = [1 + 0.1 * torch.randn_like(p) if training else 1.0 for p in (x, between)]
        judge.eval()
        plain = judge(x * noise[0], label)
        at = between.clone().requires_grad_()
        logits = judge(at * noise[1], between_label).logits
        (expected,) = torch.autograd.grad(logits.sum(), at, create_graph=True)

        torch.testing.assert_close(slopes, expected)
        assert expected.abs().max() > 1e-3
        for ours, theirs in zip(judged, plain, strict=True):
            torch.testing.assert_close(ours, theirs)
        penalty, plain_penalty = (
            (s.flatten(1).norm(dim=1) - 1).square().mean() for s in (slopes, expected)
        )
        ours, theirs = gradients(penalty, judge), gradients(plain_penalty, judge)
        torch.testing.assert_close(ours, theirs)
        moving = {name for name, gradient in ours.items() if gradient.abs().max() > 1e-6}
        assert {f"convs.{i}.parametrizations.weight.original" for i in range(2)} <= moving
        assert "head.linear.parametrizations.weight.original" in moving
        by_class = "head.embedding.parametrizations.weight.original" in moving
        assert by_class is (head is ProjectionHead)

        both, plain_both = judged.logits.sum() + penalty, plain.logits.sum() + plain_penalty
        torch.testing.assert_close(gradients(both, judge), gradients(plain_both, judge))


def test_written_out_slopes_need_no_class_and_no_graph_of_the_pictures() -> None:
    judge = BrandDiscriminator(2, (24, 32), width=4).double().eval()
    x = pictures(2).requires_grad_()
    judged, slopes = judge.with_slopes(pictures(1), None, x, None)
    (expected,) = torch.autograd.grad(judge(x).logits.sum(), x)
    torch.testing.assert_close(slopes, expected)
    assert judged.classes is None
    assert torch.autograd.grad(slopes.sum(), x, allow_unused=True) == (None,)


def test_where_slopes_can_be_written_out() -> None:
    make = partial(BrandDiscriminator, 3, (16, 16), width=4)
    assert make().is_piecewise_linear
    assert not make(attention=True).is_piecewise_linear
    assert not make(minibatch_deviation=True).is_piecewise_linear
    assert make(attention=True).per_picture
    assert not make(minibatch_deviation=True).per_picture


def test_the_deviation_of_a_batch_reaches_the_head() -> None:
    torch.manual_seed(0)
    judge = BrandDiscriminator(3, (16, 16), width=4, minibatch_deviation=True).eval()
    x = torch.randn(4, 3, 16, 16)
    assert judge(x).features.shape == (4, (4 + 1) * 4 * 4)
    same = x[:1].expand(4, -1, -1, -1)
    assert (judge(same).features[:, -16:] < 1e-3).all()
    assert judge(x).features[:, -16:].unique().numel() == 1
    assert not torch.allclose(judge(x).logits[0], judge(same).logits[0], atol=1e-4)


# Attention --------------------------------------------------------------------------------------


def test_attention_is_a_softmax_over_pooled_keys() -> None:
    torch.manual_seed(0)
    block = SelfAttention(16).double().eval()
    x = torch.randn(2, 16, 4, 6).double()
    assert torch.equal(block(x), x)  # gamma is 0 at first
    with torch.no_grad():
        block.gamma.fill_(0.7)
        query, key, value, output = (
            conv.weight[:, :, 0, 0] for conv in (block.query, block.key, block.value, block.output)
        )
        assert [len(m) for m in (query, key, value, output)] == [2, 2, 8, 16]

        def pooled(maps: Tensor) -> Tensor:
            return maps.unflatten(3, (3, 2)).unflatten(2, (2, 2)).amax((3, 5)).flatten(2)

        queries = torch.einsum("oc,bchw->bohw", query, x).flatten(2)
        keys = pooled(torch.einsum("oc,bchw->bohw", key, x))
        values = pooled(torch.einsum("oc,bchw->bohw", value, x))
        scores = torch.einsum("bcq,bck->bqk", queries, keys).exp()
        shares = scores / scores.sum(2, keepdim=True)
        seen = torch.einsum("bqk,bck->bcq", shares, values)
        expected = x + 0.7 * torch.einsum("oc,bcq->boq", output, seen).view_as(x)
        torch.testing.assert_close(block(x), expected)


@pytest.mark.parametrize(
    ("size", "in_generator", "in_judge"),
    [
        ((16, 24), (8, 12), (4, 6)),
        ((32, 56), (8, 14), (4, 7)),
        ((64, 96), (8, 12), (8, 12)),
        ((128, 224), (16, 28), (16, 28)),
        ((40, 72), (10, 18), (5, 9)),
    ],
)
def test_attention_in_both_networks(
    size: tuple[int, int], in_generator: tuple[int, int], in_judge: tuple[int, int]
) -> None:
    torch.manual_seed(0)
    generator = BrandGenerator(3, size, 8, width=8, attention=True).eval()
    judge = BrandDiscriminator(3, size, width=8, attention=True).eval()
    drawn, judged = (shapes_of(network, (SelfAttention,)) for network in (generator, judge))
    latent = torch.randn(2, 8)
    with torch.no_grad():
        picture = generator(latent)
        logits = judge(picture).logits
        assert picture.shape == (2, 3, *size)
        assert [shape[1:] for shape in drawn] == [in_generator]
        assert [shape[1:] for shape in judged] == [in_judge]
        for network in (generator, judge):
            for module in network.modules():
                if isinstance(module, SelfAttention):
                    module.gamma.fill_(3.0)
        assert (judge(picture).logits - logits).abs().max() > 1e-6
        assert (generator(latent) - picture).abs().max() > 1e-6


# Noise ------------------------------------------------------------------------------------------


def test_the_input_is_noisy_while_training_alone() -> None:
    torch.manual_seed(0)
    judge = BrandDiscriminator(3, (64, 64), width=4, input_noise=0.1)
    seen: list[Tensor] = []
    judge.convs[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    x = torch.full((8, 3, 64, 64), 2.0)
    judge(x)
    judge(x)
    judge.eval()(x)
    factor = seen[0] / 2
    assert factor.mean().item() == pytest.approx(1.0, abs=2e-3)
    assert factor.std().item() == pytest.approx(0.1, rel=0.02)
    assert factor.unique().numel() > 0.5 * factor.numel()  # a draw of its own for every value
    assert not torch.equal(seen[1], seen[0])
    assert torch.equal(seen[2], x)

    judge.train().input_noise = 0.0
    judge(x)
    assert torch.equal(seen[3], x)


def test_the_judge_is_leaky() -> None:
    judge = BrandDiscriminator(1, (8, 8), width=1, input_noise=0.0).eval()
    convs = shapes_of(judge, (nn.Conv2d,))
    made: list[Tensor] = []
    judge.convs[0].register_forward_hook(lambda _, __, out: made.append(out.clone()))
    features = judge(torch.randn(2, 1, 8, 8)).features
    assert len(convs) == 1
    torch.testing.assert_close(features, F.leaky_relu(made[0], 0.2).flatten(1))


def test_attention_needs_a_second_doubling() -> None:
    assert any(
        isinstance(module, SelfAttention)
        for module in BrandGenerator(3, (16, 28), 8, width=4, attention=True).modules()
    )
    with pytest.raises(UserError, match=r"arch.attention .* 8x14 is doubled once"):
        BrandGenerator(3, (8, 14), 8, width=4, attention=True)
