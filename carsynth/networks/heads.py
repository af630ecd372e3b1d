"""What a discriminator of single pictures says, and how the class joins its last layer."""

from collections.abc import Callable
from typing import NamedTuple, Protocol, cast

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from carsynth.errors import UserError


class Judgement(NamedTuple):
    """A discriminator's view of a batch."""

    logits: Tensor
    """Above 0 for real, (B,)."""
    features: Tensor
    """What the logits are linear in, (B, F)."""
    classes: Tensor | None
    """Logits of an auxiliary classifier, (B, number of classes); None without one."""


class Head(Protocol):
    """The last layer: features and class to one logit a picture."""

    def __call__(self, features: Tensor, label: Tensor | None) -> Tensor: ...

    def slope(self, label: Tensor | None) -> Tensor:
        """Derivative of a logit by its features, (F,) or (B, F), differentiable by the weights."""
        ...


class PlainHead(nn.Module):
    """A linear layer that does not look at the class."""

    def __init__(self, features: int, classes: int, spectral: bool = False) -> None:
        super().__init__()
        self.linear = _linear(features, 1, spectral)

    def forward(self, features: Tensor, label: Tensor | None) -> Tensor:
        logits: Tensor = self.linear(features)
        return logits.squeeze(1)

    def slope(self, label: Tensor | None) -> Tensor:
        return self.linear.weight[0]


class EmbeddingHead(nn.Module):
    """A linear layer over features and a learned embedding of the class, as carbrandGAN has it.

    The class shifts all logits alike there, whatever the picture shows: with the same classes among
    real and fake pictures it teaches G nothing. :class:`ProjectionHead` does.

    Args:
        features: their number.
        classes: how many there are.
        spectral: hold the layer's largest singular value at 1.
        embedding: length of a class's embedding.
    """

    def __init__(
        self, features: int, classes: int, spectral: bool = False, embedding: int = 50
    ) -> None:
        super().__init__()
        _need_classes(classes, "embedding")
        self._features = features
        self.embedding = nn.Embedding(classes, embedding)
        self.linear = _linear(features + embedding, 1, spectral)

    def forward(self, features: Tensor, label: Tensor | None) -> Tensor:
        assert label is not None, "this discriminator judges by class"
        weight = self.linear.weight[0]
        of_class = self.embedding(label) @ weight[self._features :]
        logits: Tensor = features @ weight[: self._features] + of_class + self.linear.bias
        return logits

    def slope(self, label: Tensor | None) -> Tensor:
        return self.linear.weight[0, : self._features]


class ProjectionHead(nn.Module):
    """``w.f + b + e(class).f`` with a learned vector e a class (Miyato and Koyama 2018, eq. 5)."""

    def __init__(self, features: int, classes: int, spectral: bool = False) -> None:
        super().__init__()
        _need_classes(classes, "projection")
        self.linear = _linear(features, 1, spectral)
        self.embedding = nn.Embedding(classes, features)
        nn.init.normal_(self.embedding.weight, 0.0, features**-0.5)
        if spectral:
            spectral_norm(self.embedding)

    def forward(self, features: Tensor, label: Tensor | None) -> Tensor:
        assert label is not None, "this discriminator judges by class"
        logits: Tensor = self.linear(features).squeeze(1)
        of_class: Tensor = (self.embedding(label) * features).sum(1)
        return logits + of_class

    def slope(self, label: Tensor | None) -> Tensor:
        slope: Tensor = self.linear.weight[0] + self.embedding(label)
        return slope


def _need_classes(classes: int, head: str) -> None:
    if classes < 1:
        raise UserError(
            f"arch.head={head} joins the class to the discriminator, which is told none: set "
            "arch.conditional=true, or arch.head=plain"
        )


def _linear(inputs: int, outputs: int, spectral: bool) -> nn.Linear:
    linear = nn.Linear(inputs, outputs)
    return cast(nn.Linear, spectral_norm(linear)) if spectral else linear


HeadFactory = Callable[..., nn.Module]
"""Makes a :class:`Head` from ``features``, ``classes`` and ``spectral``."""


class Critic(nn.Module):
    """A discriminator of whole pictures: features of them, a head, and perhaps a classifier.

    Args:
        features: how many :meth:`features` gives a picture.
        classes: how many class labels there are; 0 knows none.
        head: makes the head from ``features``, ``classes`` and ``spectral``.
        auxiliary: whether to tell the class of a picture too (Odena et al. 2017, AC-GAN).
        spectral: hold the largest singular value of head and classifier at 1.
    """

    per_picture = False
    """Whether the judgement of a picture is the same whatever the others in its batch."""

    def __init__(
        self, features: int, classes: int, head: HeadFactory, auxiliary: bool, spectral: bool
    ) -> None:
        super().__init__()
        self.head = head(features, classes, spectral=spectral)
        self.classifier = _linear(features, classes, spectral) if auxiliary else None

    def features(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, F)."""
        raise NotImplementedError

    def forward(self, x: Tensor, label: Tensor | None = None) -> Judgement:
        """The judgement on pictures (B, C, H, W) of classes (B,)."""
        features = self.features(x)
        classes = self.classifier(features) if self.classifier is not None else None
        return Judgement(self.head(features, label), features, classes)
