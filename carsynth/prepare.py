"""``python -m carsynth.prepare task=NAME ...``: fetch photos, and look over those that are there.

``task=fetch`` brings the photos that a table of addresses names; ``task=clean`` lists photos that
should not be trained on. Each task has keys of its own: ``task=NAME --help`` shows them.
"""

from typing import Protocol

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from carsynth.cli import door


class Task(Protocol):
    """What a YAML of ``conf/task`` names under ``task``."""

    def run(self) -> None:
        """Do it; print what came of it.

        Raises:
            UserError: something that a key names cannot be used.
        """
        ...


def prepare(config: DictConfig) -> None:
    """Runs the chosen task.

    Raises:
        UserError: as the task says.
    """
    OmegaConf.to_container(config, resolve=True, throw_on_missing=True)  # names what is not set
    task: Task = instantiate(config.task)
    task.run()


main = door("prepare")(prepare)

if __name__ == "__main__":
    main()
