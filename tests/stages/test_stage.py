import json
from pathlib import Path
from typing import Any

import pytest

from carsynth.stages.stage import Stage, carry_out


class Work:
    """Counts how often it is done; may be interrupted once."""

    def __init__(self, interrupted: bool = False) -> None:
        self.done = 0
        self._interrupted = interrupted

    def __call__(self, folder: Path) -> None:
        with (folder / "log.txt").open("a") as file:
            file.write("half ")
        if self._interrupted:
            self._interrupted = False
            raise KeyboardInterrupt
        self.done += 1
        (folder / "result.txt").write_text(str(self.done))


def stage(work: Work, **inputs: Any) -> Stage:
    return Stage("maps", inputs, work)


def test_work_is_done_once_for_the_same_inputs(tmp_path: Path) -> None:
    work = Work()
    first = carry_out(stage(work, epochs=3), tmp_path)
    second = carry_out(stage(work, epochs=3), tmp_path)
    assert work.done == 1
    assert first == second
    assert json.loads((tmp_path / "maps" / "stage.json").read_text())["finished"]


def test_other_inputs_move_the_earlier_result_aside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work = Work()
    prints = [carry_out(stage(work, epochs=n), tmp_path).fingerprint for n in (3, 4, 3)]
    assert work.done == 3
    assert prints[0] == prints[2] != prints[1]
    assert (tmp_path / "maps_before_1" / "result.txt").read_text() == "1"
    assert (tmp_path / "maps_before_2" / "result.txt").read_text() == "2"
    assert (tmp_path / "maps" / "result.txt").read_text() == "3"
    assert f"the earlier result is now {tmp_path / 'maps_before_2'}" in capsys.readouterr().out


def test_interrupted_work_goes_on_where_it_was(tmp_path: Path) -> None:
    work = Work(interrupted=True)
    with pytest.raises(KeyboardInterrupt):
        carry_out(stage(work), tmp_path)
    assert not json.loads((tmp_path / "maps" / "stage.json").read_text())["finished"]
    carry_out(stage(work), tmp_path)
    assert (tmp_path / "maps" / "log.txt").read_text() == "half half "
    assert not (tmp_path / "maps_before_1").exists()


def test_a_damaged_mark_is_no_result(tmp_path: Path) -> None:
    work = Work()
    carry_out(stage(work), tmp_path)
    (tmp_path / "maps" / "stage.json").write_text("{")
    carry_out(stage(work), tmp_path)
    assert work.done == 2
    assert (tmp_path / "maps_before_1" / "result.txt").read_text() == "1"
