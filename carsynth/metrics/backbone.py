"""Any torchvision classifier as a feature extractor."""

import re
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torchvision import models
from torchvision.models.feature_extraction import create_feature_extractor, get_graph_node_names

from carsynth.data.files import sha256_of
from carsynth.errors import UserError
from carsynth.metrics.frozen import FrozenNetwork
from carsynth.weights import fetch_weights

_DEFAULT_LAYER = "avgpool"

_BUILT_WITH: dict[str, dict[str, Any]] = {
    "googlenet": {"transform_input": True, "init_weights": False},
    "inception_v3": {"transform_input": True, "init_weights": False},
    "vit_h_14": {"image_size": 518},
}
"""What torchvision builds a model with for its published weights and not by itself."""


class TorchvisionBackbone(FrozenNetwork):
    """Features of a layer of a torchvision classification model.

    A whole picture is resized to the square that the published weights take, whatever its shape.
    A map (B, C, h, w) is averaged over its area, tokens (B, n, C) over their number. The name is
    the model's, with the layer where it is not ``avgpool`` and with the first digits of the
    weights' SHA-256 where they are not the published ones.

    Args:
        model: a classifier in ``torchvision.models``, as ``resnet50``.
        layer: a node's name in ``torchvision.models.feature_extraction``.
        weights_path: a state dict of the model; what lies behind ``layer`` may be missing or of
            another size. None looks for the published file in torch hub's cache and fetches it.

    Raises:
        UserError: no such model or layer, or the weights cannot be had or do not fit.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        model: str = "resnet50",
        layer: str = _DEFAULT_LAYER,
        weights_path: str | None = None,
    ) -> None:
        preset = _published(model).transforms()
        network = _build(model)
        _require(layer, network, model)
        path = fetch_backbone_weights(model, weights_path)
        missing = _fill(network, path)
        trunk = create_feature_extractor(network, {layer: layer}, suppress_diff_warning=True)
        for name in trunk.state_dict():
            if name in missing:
                raise UserError(
                    f"{path} does not fit torchvision's {model}: {name} is missing or of another "
                    "size; give a state dict of that model"
                )
        (size,) = preset.crop_size
        with torch.no_grad():
            (tried,) = trunk(torch.zeros(1, 3, size, size)).values()
        super().__init__(
            _name(model, layer, path),
            _vectors(tried, layer).shape[1],
            f"bilinear to {size}x{size}, antialiased",
            f"torchvision {model} {layer}, mean {preset.mean}, std {preset.std}",
        )
        self._size = size
        for name, values in (("mean", preset.mean), ("std", preset.std)):
            self.register_buffer(name, torch.tensor(values).view(3, 1, 1), persistent=False)
        self._layer = layer
        self.trunk = trunk
        self.freeze()

    def features(self, photo: Tensor) -> Tensor:
        x = interpolate(photo.to(torch.float32), [self._size] * 2, mode="bilinear", antialias=True)
        x = (x / 255.0 - self.mean) / self.std
        found = self.trunk(x.contiguous(memory_format=torch.channels_last))
        return _vectors(found[self._layer], self._layer)


def fetch_backbone_weights(model: str, weights_path: str | None = None) -> Path:
    """Path of a model's weight file; arguments and errors as for :class:`TorchvisionBackbone`."""
    remedy = "metric.weights_path=FILE"
    url = _published(model).url
    if weights_path is None:
        return fetch_weights(url.rpartition("/")[2], url, _checksum(url), None, remedy)
    path = Path(weights_path).expanduser()
    if not path.is_file():
        raise UserError(f"weights of {model} are not at {path}: correct {remedy}")
    return path


def _published(model: str) -> Any:
    """What torchvision says of a model's best published weights."""
    known = models.list_models(module=models)
    if model not in known:
        near = ", ".join(get_close_matches(model, known, 5, cutoff=0.0))
        raise UserError(f"torchvision has no classifier {model}: the nearest names are {near}")
    return models.get_model_weights(model).DEFAULT


def _checksum(url: str) -> str:
    """First digits of the SHA-256 of a published file, which end its name."""
    return url.rpartition("-")[2].partition(".")[0]


def _name(model: str, layer: str, path: Path) -> str:
    digest = sha256_of(path)
    words = [model]
    if layer != _DEFAULT_LAYER:
        words.append(layer.replace(".", "_"))
    if not digest.startswith(_checksum(_published(model).url)):
        words.append(digest[:8])
    return "_".join(words)


def _build(model: str) -> nn.Module:
    """The network in eval mode, its weights still random; the random state stays as it was."""
    with torch.random.fork_rng(devices=[]):
        network: nn.Module = models.get_model(model, weights=None, **_BUILT_WITH.get(model, {}))
    return network.eval()


def _require(layer: str, network: nn.Module, model: str) -> None:
    nodes = get_graph_node_names(network, suppress_diff_warning=True)[1]
    if not any(node == layer or node.startswith(f"{layer}.") for node in nodes):
        last = list(dict.fromkeys(".".join(node.split(".")[:2]) for node in nodes))[-8:]
        raise UserError(
            f"torchvision's {model} has no layer {layer}: its last ones are {', '.join(last)}"
        )


def _fill(network: nn.Module, path: Path) -> set[str]:
    """Loads the values of a file that fit, and names those of the network that are still random."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        own = network.state_dict()
        for name in list(state):
            # Published DenseNets are older than the rule that a module's name holds no full stop.
            name_now = re.sub(r"(denselayer\d+\.(?:norm|conv))\.(\d)\.", r"\1\2.", name)
            value = state.pop(name)
            if name_now not in own or value.shape == own[name_now].shape:
                state[name_now] = value
        return set(network.load_state_dict(state, strict=False).missing_keys)
    except Exception as error:
        what = str(error).splitlines()[0]
        raise UserError(f"{path} holds no state dict ({what}): give another file") from error


def _vectors(found: Any, layer: str) -> Tensor:
    """A layer's output as (B, d)."""
    if isinstance(found, Tensor):
        if found.ndim == 4 and found.shape[2] == found.shape[3]:
            return found.mean((2, 3))
        if found.ndim == 3:
            return found.mean(1)
        if found.ndim == 2:
            return found
        what = f"numbers of the shape {tuple(found.shape[1:])}"
    else:
        what = "no numbers"
    raise UserError(f"the layer {layer} gives {what}, not (channels, height, width): name another")
