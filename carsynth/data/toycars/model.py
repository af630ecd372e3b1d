"""One make's body style, ready to be drawn: mesh and atlas, built once and kept."""

from functools import cache
from typing import NamedTuple

from carsynth.data.toycars.atlas import Atlas, Canvas
from carsynth.data.toycars.bodies import BodyStyle, Make
from carsynth.data.toycars.cabin import Cabin, add_cabin
from carsynth.data.toycars.fittings import add_mirrors, add_wheels
from carsynth.data.toycars.livery_front import paint_front
from carsynth.data.toycars.livery_rear import paint_rear
from carsynth.data.toycars.livery_side import paint_sides
from carsynth.data.toycars.livery_wheels import paint_wheels
from carsynth.data.toycars.mesh import Mesh, MeshBuilder
from carsynth.data.toycars.shape import Shape
from carsynth.data.toycars.shell import Shell, add_shell


class Model(NamedTuple):
    """A car's form and the materials on it; colours come with each sample."""

    shape: Shape
    mesh: Mesh
    atlas: Atlas


@cache
def build_model(style: BodyStyle, make: Make) -> Model:
    """The model of a make's body style; some tens of milliseconds and 1 MB the first time."""
    shape = Shape(style, make)
    shell, cabin = Shell(shape), Cabin(shape)
    builder = MeshBuilder()
    add_shell(builder, shell)
    add_cabin(builder, cabin)
    add_wheels(builder, shape)
    add_mirrors(builder, shape)
    canvas = Canvas()
    paint_front(canvas, shell, cabin)
    paint_rear(canvas, shell, cabin)
    paint_sides(canvas, shell, cabin)
    paint_wheels(canvas, shape)
    return Model(shape, builder.build(), canvas.atlas())
