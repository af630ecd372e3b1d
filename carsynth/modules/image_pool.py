"""A history of generated pictures for the discriminator to be trained on."""

import torch
from torch import Tensor


class ImagePool:
    """Up to ``size`` earlier fakes, each with the condition that it was made from; 0 is off.

    Shrivastava et al. 2017, section 2.3, in the form of CycleGAN and pix2pixHD: until the pool is
    full every fake is stored and handed back as it is; from then on, with chance one half, a fake
    takes the place of a stored one and that one is handed back instead. Draws come from a generator
    of the pool's own, so that the pool neither disturbs the run's random numbers nor loses its
    place when it is resumed. Memory: ``size`` pictures and conditions on the device of the first.
    """

    def __init__(self, size: int, seed: int = 0) -> None:
        """Start empty; pools of equal seed take equal decisions.

        Raises:
            ValueError: a negative size.
        """
        if size < 0:
            raise ValueError(f"a pool cannot hold {size} pictures")
        self.size = size
        self._generator = torch.Generator().manual_seed(seed)
        self._conditions: list[Tensor] = []
        self._photos: list[Tensor] = []

    def query(self, condition: Tensor, photo: Tensor) -> tuple[Tensor, Tensor]:
        """Pairs for the discriminator's fake half, partly from the past.

        Args:
            condition: what each photo was made from, (B, ...); for a conditional discriminator its
                map, of any dtype.
            photo: fakes (B, 3, H, W). Every call's shapes but B are the same.

        Returns:
            Condition and photo in the shapes given, detached. A pool of size 0 returns its
            arguments themselves, graph included.
        """
        if self.size == 0:
            return condition, photo
        pairs = [
            self._exchange(*pair) for pair in zip(condition.detach(), photo.detach(), strict=True)
        ]
        conditions, photos = zip(*pairs, strict=True)
        return torch.stack(conditions), torch.stack(photos)

    def _exchange(self, condition: Tensor, photo: Tensor) -> tuple[Tensor, Tensor]:
        if len(self._photos) < self.size:
            self._conditions.append(condition.clone())
            self._photos.append(photo.clone())
            return condition, photo
        if torch.rand((), generator=self._generator) >= 0.5:
            return condition, photo
        slot = int(torch.randint(self.size, (), generator=self._generator))
        old = self._conditions[slot].to(condition.device), self._photos[slot].to(photo.device)
        self._conditions[slot], self._photos[slot] = condition.clone(), photo.clone()
        return old

    def state_dict(self) -> dict[str, Tensor]:
        """Tensors: ``conditions`` (n, ...), ``photos`` (n, 3, H, W), the ``generator``'s state."""
        return {
            "conditions": torch.stack(self._conditions) if self._conditions else torch.empty(0),
            "photos": torch.stack(self._photos) if self._photos else torch.empty(0),
            "generator": self._generator.get_state(),
        }

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on where :meth:`state_dict` was taken; a smaller pool keeps what fits."""
        self._conditions = [held.clone() for held in state["conditions"][: self.size]]
        self._photos = [held.clone() for held in state["photos"][: self.size]]
        self._generator.set_state(state["generator"].cpu())
