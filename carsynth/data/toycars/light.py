"""How much light the surfaces of a car send to the camera."""

import math
from typing import NamedTuple

import numpy as np

from carsynth.data.toycars.camera import Camera, Vector
from carsynth.data.toycars.design import Scene
from carsynth.data.toycars.mesh import Floats, Mesh


class Sun(NamedTuple):
    """Unit vector to the sun in the car's frame, and its strength, 0 to 1."""

    towards: Vector
    strength: float


def sun_of(scene: Scene, camera: Camera) -> Sun:
    """The scene's sun, whose direction is given as the camera sees it."""
    azimuth, rise = (math.radians(angle) for angle in scene.sun)
    x, y, _ = camera.ahead
    level = math.sqrt(x * x + y * y)
    back = -x / level, -y / level
    near, side = round(math.cos(azimuth), 9), round(math.sin(azimuth), 9)
    flat, high = round(math.cos(rise), 9), round(math.sin(rise), 9)
    return Sun(
        (
            flat * (near * back[0] + side * camera.right[0]),
            flat * (near * back[1] + side * camera.right[1]),
            high,
        ),
        scene.sunlight,
    )


def light_up(mesh: Mesh, camera: Camera, sun: Sun) -> tuple[Floats, Floats]:
    """Scattered and mirrored light of every vertex, each (V,); 1 is a white sheet in the open."""
    nx, ny, nz = (mesh.normals[:, axis] for axis in range(3))
    lx, ly, lz = sun.towards
    facing = np.maximum(nx * lx + ny * ly + nz * lz, 0.0)
    sky = 0.50 + 0.18 * nz - 0.09 * sun.strength
    scattered = mesh.openness * (sky + 0.54 * sun.strength * facing)

    vx, vy, vz = (camera.place[axis] - mesh.points[:, axis] for axis in range(3))
    reach = np.sqrt(vx * vx + vy * vy + vz * vz)
    vx, vy, vz = vx / reach, vy / reach, vz / reach
    towards = nx * vx + ny * vy + nz * vz
    twice = 2.0 * towards
    rx, ry, rz = twice * nx - vx, twice * ny - vy, twice * nz - vz
    graze = np.minimum(np.maximum(1.0 - towards, 0.0), 1.0)
    strength = 0.40 + 0.60 * graze * graze * graze
    above = np.minimum(np.maximum(rz * 5.0 + 0.60, 0.0), 1.0)
    above = above * above * (3.0 - 2.0 * above)
    surroundings = 0.20 + above * (0.74 - 0.28 * np.maximum(rz, 0.0))
    glint = np.maximum(rx * lx + ry * ly + rz * lz, 0.0)
    for _ in range(5):
        glint = glint * glint
    mirrored = mesh.openness * (strength * surroundings + 1.1 * sun.strength * glint)
    return scattered, mirrored
