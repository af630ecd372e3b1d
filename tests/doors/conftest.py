"""One finished tiny run that many tests look at."""

from pathlib import Path

import pytest

from tests.doors.commands import TINY, succeed


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of a tiny training; look, do not touch."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "said.txt").write_text(succeed(folder, "train", *TINY, "hydra.run.dir=run"))
    return folder / "run"
