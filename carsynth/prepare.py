"""``python -m carsynth.prepare task=NAME ...``: fetch photos, look them over, make sets of them.

``task=fetch`` brings the photos that a table of addresses names; ``task=clean`` lists photos that
should not be trained on; ``task=parts`` makes a set for both stages of photos with part
annotations. Each task has keys of its own: ``task=NAME --help`` shows them.
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
    OmegaConf.to_container(config, resolve=True)  # names what is not set
    task: Task = instantiate(config.task)
    task.run()


main = door("prepare")(prepare)

if __name__ == "__main__":
    main()
