"""``python -m carsynth.pipeline +experiment=two_stage``: from labelled photos to a report."""

from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from carsynth.cli import door
from carsynth.data.files import write_atomically
from carsynth.errors import UserError
from carsynth.stages.recipe import Recipe


def pipeline(config: DictConfig) -> None:
    """Trains both stages, generates, exports, measures and reports, into ``output_dir``.

    What is there already, of the same inputs, is not done again; run the same command again to go
    on after an interruption.

    Raises:
        UserError: the config names no recipe, or a stage cannot be carried out.
    """
    if config.maps is None or config.photos is None:
        raise UserError("name a recipe: python -m carsynth.pipeline +experiment=two_stage")
    OmegaConf.resolve(config)
    folder = Path(config.output_dir)
    write_atomically(folder / "config.yaml", OmegaConf.to_yaml(config))
    page = Recipe(config).carry_out()
    print(f"look at {page}")


main = door("pipeline")(pipeline)

if __name__ == "__main__":
    main()
