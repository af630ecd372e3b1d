"""ToyCars as a data set: seeds in, labelled pictures out, no files."""

from carsynth.data.batch import CarSample
from carsynth.data.toycars.bodies import BODY_STYLES, MAKES
from carsynth.data.toycars.design import draw_car, draw_scene, sample_random
from carsynth.data.toycars.render import ToyCar, render
from carsynth.errors import UserError
from carsynth.labels import VIEW_TWINS, VIEWS

_CLASSES: dict[str, tuple[str, ...]] = {
    "make": tuple(make.name for make in MAKES),
    "body": tuple(style.name for style in BODY_STYLES),
    "view": VIEWS,
    "doors": tuple(f"{doors}_doors" for doors in sorted({style.doors for style in BODY_STYLES})),
}


class ToyCars:
    """Cars drawn in perspective from any yaw; a ``CarSource`` that needs no files.

    A sample depends on ``seed`` and its index only: not on ``length``, nor, but for sharpness, on
    the size it is read at. Makes, body styles and yaws are all equally likely.

    Args:
        length: number of samples, 1 or more.
        seed: another seed gives other cars.
        label: what the class label tells: ``make``, ``body``, ``view`` or ``doors``.

    Raises:
        UserError: ``length`` is below 1, or ``label`` is none of the four.
    """

    def __init__(self, length: int = 2000, seed: int = 0, label: str = "make") -> None:
        if label not in _CLASSES:
            raise UserError(
                f"toy cars: unknown label '{label}'; set label to one of {', '.join(_CLASSES)}"
            )
        if length < 1:
            raise UserError(f"toy cars: length is {length}; set it to 1 or more")
        self._seed = seed
        self._label = label
        self.classes: tuple[str, ...] = _CLASSES[label]
        self.class_twins: tuple[int, ...] = (
            VIEW_TWINS if label == "view" else tuple(range(len(self.classes)))
        )
        self.names: tuple[str, ...] = tuple(f"toycar-{index:06d}" for index in range(length))

    def __len__(self) -> int:
        return len(self.names)

    def read(self, index: int, size: tuple[int, int]) -> CarSample:
        """The sample at ``size`` (height, width).

        Raises:
            UserError: a side of ``size`` is below 32 pixels.
        """
        car = self.draw(index, size)
        names = {"make": car.make, "body": car.body, "view": VIEWS[car.view]}
        name = (names | {"doors": f"{car.doors}_doors"})[self._label]
        return CarSample(car.photo, car.part_map, self.classes.index(name))

    def draw(self, index: int, size: tuple[int, int]) -> ToyCar:
        """The sample at ``size`` (height, width), with everything that is known about it.

        Raises:
            IndexError: ``index`` is outside the data set.
            UserError: a side of ``size`` is below 32 pixels.
        """
        if not 0 <= index < len(self.names):
            raise IndexError(f"toy car {index} of {len(self.names)}")
        random = sample_random(self._seed, index)
        return render(draw_car(random), draw_scene(random), size)
