"""Photos that are far from all others in a space of features."""

import torch
from torch import Tensor
from tqdm import tqdm

FEWEST = 30
"""Photos below which nothing can be said of what is usual."""

_NEIGHBOUR = 5
_BLOCK = 1024
_LIMIT = 6.0  # median absolute deviations


def far_ones(features: Tensor) -> dict[int, float]:
    """Index of each outlier, with its distance in median absolute deviations from the median.

    What counts is the Euclidean distance to the fifth nearest other photo, so that a handful of
    odd photos of one kind stand out as one does. Nothing is found among fewer than
    :data:`FEWEST` photos.

    Args:
        features: float (N, D).
    """
    if len(features) < FEWEST:
        return {}
    centred = features - features.mean(dim=0)
    distances = []
    with tqdm(desc="outliers", total=len(features), unit="photo") as bar:
        for block in torch.split(centred, _BLOCK):
            nearest = torch.cdist(block, centred).topk(_NEIGHBOUR + 1, largest=False).values
            distances.append(nearest[:, -1])
            bar.update(len(block))
    distance = torch.cat(distances).double()
    above = distance - distance.median()
    deviation = above.abs().median()
    if not deviation > 0:
        return {}
    scores = (above / deviation).tolist()
    return {index: score for index, score in enumerate(scores) if score > _LIMIT}
