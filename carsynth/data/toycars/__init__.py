"""The embedded data set: cars drawn from seeds, in perspective, with exact part maps."""

from carsynth.data.toycars.bodies import BODY_STYLES, MAKES, BodyStyle, Make
from carsynth.data.toycars.dataset import ToyCars
from carsynth.data.toycars.design import CarDesign, Scene, draw_car, draw_scene, sample_random
from carsynth.data.toycars.render import ToyCar, render

__all__ = [
    "BODY_STYLES",
    "MAKES",
    "BodyStyle",
    "CarDesign",
    "Make",
    "Scene",
    "ToyCar",
    "ToyCars",
    "draw_car",
    "draw_scene",
    "render",
    "sample_random",
]
