"""``python -m carsynth.usefulness data=... synthetic=DIR``: do synthetic pictures help?"""

import json
from functools import partial
from pathlib import Path
from typing import Any, cast

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from carsynth.cli import door
from carsynth.data.splits import draw_splits, load_splits
from carsynth.errors import UserError
from carsynth.launch import hush
from carsynth.usefulness_study.plan import Plan, counts_that_exist
from carsynth.usefulness_study.result import StudyResult
from carsynth.usefulness_study.study import study
from carsynth.usefulness_study.synthetic import SyntheticSet, synthetic_folder
from carsynth.usefulness_study.table import to_text

_RECIPE = ("segmenter", "augment")
_OF_TRAINER = ("accelerator", "precision")


def usefulness(config: DictConfig) -> StudyResult:
    """Trains a part segmenter on real, synthetic and mixed pictures and tests it on real ones.

    Prints the tables; ``output_dir`` keeps them as ``usefulness.json`` and ``usefulness.csv`` with
    ``usefulness.png`` and ``examples.png``.

    Raises:
        UserError: what was asked for does not fit together, or something named cannot be used.
    """
    hush()
    result = study(plan_of(config))
    print(to_text(result), f"\nwritten to {config.output_dir}", sep="\n")
    return result


def plan_of(config: DictConfig) -> Plan:
    """The study that a config of ``conf/usefulness.yaml`` asks for.

    Raises:
        UserError: a set or a split cannot be used, or there are too few real pictures.
    """
    OmegaConf.to_container(config, resolve=True, throw_on_missing=True)  # names what is not set
    data = config.data
    if data.on_bad_file != "stop":
        raise UserError(
            f"data.on_bad_file={data.on_bad_file}: a study has to know its pictures beforehand; "
            "take the bad ones out"
        )
    source = instantiate(data.source)
    if data.splits_file is not None:
        splits = load_splits(Path(data.splits_file), source.names)
    else:
        splits = draw_splits(source.names, data.fractions, data.split_seed)
    return Plan(
        real=source,
        splits=splits,
        size=(int(data.size[0]), int(data.size[1])),
        synthetic=_synthetic(config, len(splits["train"])),
        seeds=list(config.seeds),
        steps=config.steps,
        batch_size=data.batch_size,
        segmenter=partial(instantiate, config.segmenter.module),
        trainer=partial(instantiate, config.trainer),
        recipe=_recipe(config),
        output_dir=Path(config.output_dir),
        augment=instantiate(config.augment),
        cache_limit_gib=data.cache_limit_gib,
        subset_seed=config.subset_seed,
    )


def _recipe(config: DictConfig) -> dict[str, Any]:
    plain = cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))
    recipe = {key: plain[key] for key in _RECIPE}
    recipe["trainer"] = {key: plain["trainer"].get(key) for key in _OF_TRAINER}
    return recipe


def _synthetic(config: DictConfig, available: int) -> dict[int, SyntheticSet]:
    """The set of each count of real pictures: one folder for all, or a folder for each."""
    asked = None if config.real_counts is None else [int(count) for count in config.real_counts]
    saw = None if config.generator_saw is None else _names(Path(config.generator_saw))
    if isinstance(config.synthetic, DictConfig):
        folders = {int(str(count)): Path(folder) for count, folder in config.synthetic.items()}
        counts = counts_that_exist(sorted(folders) if asked is None else asked, available)
        if lacking := [count for count in counts if count not in folders]:
            raise UserError(
                f"synthetic names no folder for {lacking[0]} real pictures: it has "
                f"{', '.join(map(str, sorted(folders)))}"
            )
        return {
            count: synthetic_folder(folders[count], saw, config.pretraining) for count in counts
        }
    counts = counts_that_exist(asked, available)
    one = synthetic_folder(Path(config.synthetic), saw, config.pretraining)
    return dict.fromkeys(counts, one)


def _names(path: Path) -> frozenset[str]:
    """Of the pictures that a run trained on and chose its epoch by."""
    try:
        splits = json.loads(path.read_text(encoding="utf-8"))
        return frozenset(map(str, [*splits["train"], *splits["validation"]]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"generator_saw={path} cannot be read ({error}): name the splits.json in the run "
            "folder of the generator"
        ) from error


main = door("usefulness")(usefulness)

if __name__ == "__main__":
    main()
