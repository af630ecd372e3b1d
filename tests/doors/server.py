"""Runs doors in forks of one process that has imported what they need, which takes seconds.

Every line on standard input is a command as JSON; every line on standard output is its exit code.
A fork has folder, environment, arguments and output of its own, and nothing of carsynth, Hydra or
torch has been used in the process that it comes from.
"""

import json
import os
import runpy
import sys
import traceback
from pathlib import Path
from typing import Any

DOORS = ("train", "evaluate", "sample", "compare", "prepare", "generate", "usefulness", "pipeline")


def preload() -> None:
    # W&B makes a folder when it is imported and removes it when the importer ends.
    assert "wandb" not in sys.modules
    for door in DOORS:
        __import__(f"carsynth.{door}")
        del sys.modules[f"carsynth.{door}"]  # each is run as __main__, afresh


def child(command: dict[str, Any]) -> None:
    for name, number in (("out", 1), ("err", 2)):
        os.dup2(os.open(command[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.setsid()
    os.environ.clear()
    os.environ.update(command["environment"])
    os.chdir(command["folder"])
    module = f"carsynth.{command['door']}"
    sys.argv = [str(Path(__file__)), *command["words"]]
    code: Any = 0
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as leaving:
        code = leaving.code
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    import atexit

    atexit._run_exitfuncs()
    os._exit(code if isinstance(code, int) else int(code is not None))


def main() -> None:
    preload()
    print("ready", flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        process = os.fork()
        if process == 0:
            child(command)
        _, status = os.waitpid(process, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
