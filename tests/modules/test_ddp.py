"""Two gloo processes train as one process does on the joined batch."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.modules.tiny import TinyGan, batches, fit

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("accumulate", [1, 2])
def test_two_ranks_equal_one_process_on_the_joined_batch(tmp_path: Path, accumulate: int) -> None:
    command = [sys.executable, "-m", "tests.modules.ddp_fit", str(tmp_path), str(accumulate)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=120)
    first, second = (torch.load(tmp_path / f"rank{rank}.pt") for rank in range(2))

    single = TinyGan(accumulate=accumulate).double()
    fit(single, batches(count=6, batch_size=8), tmp_path)

    assert first["seen"] == second["seen"] == single.seen == 48
    untrained = TinyGan().double().state_dict()
    for name, weight in single.state_dict().items():
        torch.testing.assert_close(first["weights"][name], second["weights"][name], rtol=0, atol=0)
        torch.testing.assert_close(first["weights"][name], weight, rtol=0, atol=1e-12)
        assert not torch.equal(weight, untrained[name]), f"{name} was not trained"
