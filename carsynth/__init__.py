"""Train, compare and use generators of labelled car pictures."""

import os

# albumentations asks the network for its newest version at import unless it is told not to.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

__version__ = "0.1.0"
