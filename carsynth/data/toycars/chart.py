"""Where each surface of a car lies in its atlas; metres, origin at the top left.

The atlas holds the left half of a car, unrolled: the right half reads it mirrored.
"""

WIDTH, HEIGHT = 7.2, 4.1

CABIN = 1.4
"""Top of the cabin's walls: v = CABIN + CABIN_SPAN * t, t from 0 at the shoulder to 1 at the roof.

Above it lies the lower shell: u along the outline from the nose, v the height over ground."""

CABIN_SPAN = 0.6

LID = 2.15
"""Top of hood, roof and deck seen from above: u = LID_LEFT + d, v = LID + the car's |y|."""

LID_LEFT = 0.3

WHEEL = (0.5, 3.65)
"""Centre of a wheel's outer face."""

WELL, MIRROR, MIRROR_GLASS, RAIL = ((1.5 + 0.3 * k, 3.65) for k in range(4))
"""Centres of patches of one material each."""

PATCH = 0.12
"""Half the size of a patch."""
