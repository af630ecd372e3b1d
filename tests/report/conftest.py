"""One result of a pipeline and its report, which many tests look at."""

from pathlib import Path

import pytest

from carsynth.report.page import write_report
from tests.report.results import HOSTILE, make_result


@pytest.fixture(scope="session")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Root of a whole result, whose run has a hostile name; look, do not touch."""
    return make_result(tmp_path_factory.mktemp("pipeline") / "root", HOSTILE)


@pytest.fixture(scope="session")
def page(result: Path) -> Path:
    """Its report."""
    return write_report(result, result.parent / "report")
