"""``python -m carsynth.train +experiment=NAME [group=choice] [key=value]``: train one generator."""

from pathlib import Path
from typing import Any, cast

from hydra.utils import instantiate
from lightning.pytorch import Trainer, seed_everything
from omegaconf import DictConfig, OmegaConf

from carsynth.callbacks.best_checkpoint import BestCheckpoint
from carsynth.callbacks.loggers import finish_wandb
from carsynth.callbacks.run_record import RunRecord
from carsynth.checkpoint import check_resumable, warm_start
from carsynth.cli import door
from carsynth.launch import announce, hush, replayable
from carsynth.run_folder import claim


def train(config: DictConfig) -> float | None:
    """Trains as the config says, into ``config.run_dir``; the best score, for a sweeper to lower.

    None where the run ended before its first validation.

    Raises:
        UserError: anything about the config, the data or a checkpoint that the user can mend.
    """
    hush()
    OmegaConf.to_container(config, resolve=True)  # what is not set is said before anything is read
    datamodule = instantiate(config.datamodule)
    config.data.classes = list(datamodule.classes)
    record = cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))
    if config.ckpt_path is not None:
        check_resumable(config.ckpt_path, record)
    seed_everything(config.seed, workers=True, verbose=False)
    module = instantiate(config.arch.module)
    module.check_size(*config.data.size)
    if config.init_from is not None:
        announce(warm_start(module, config.init_from).report(config.init_from))
    claim(Path(config.run_dir), record, config.ckpt_path)
    callbacks = [*map(instantiate, config.callbacks.values()), RunRecord(record)]
    try:
        loggers = [instantiate(node) for node in config.logger.values()]
        trainer: Trainer = instantiate(config.trainer, callbacks=callbacks, logger=loggers)
        for logger in loggers:
            logger.log_hyperparams(record)
        with replayable():
            trainer.fit(module, datamodule, ckpt_path=config.ckpt_path, weights_only=True)
    finally:
        finish_wandb()
    checkpoint = cast(BestCheckpoint, trainer.checkpoint_callback)
    return checkpoint.best_score


main = door("train")(train)

if __name__ == "__main__":
    main()
