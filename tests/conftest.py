"""What tests in several rooms share."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with the public stand-in data sets: ``CARSYNTH_DATA``, or beside the checkout."""
    named = os.environ.get("CARSYNTH_DATA")
    folder = Path(named) if named else Path(__file__).parents[1].parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no data sets at {folder}; CARSYNTH_DATA=DIR names another folder")
    return folder


@pytest.fixture(scope="session")
def car_parts_folder(shared_data: Path) -> Path:
    """The Car Parts data: 400 photos, each with COCO polygons of its parts."""
    folder = shared_data / "car-parts"
    if not folder.is_dir():
        pytest.skip(f"no car parts at {folder}")
    return folder
