"""The two-stage system as stages: maps, photos, generation, export and what they are good for."""

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from carsynth.errors import UserError
from carsynth.report.page import write_report
from carsynth.stages.commands import call, quoted, words_of
from carsynth.stages.data import ALL, STUDY, prepare_data, reference_file, splits_file
from carsynth.stages.export import FOLDERS, check_formats, export_all
from carsynth.stages.stage import Done, Stage, carry_out

_BEST = Path("run", "checkpoints", "best.ckpt")
_LAST = Path("run", "checkpoints", "last.ckpt")
_COMMANDS = "commands.sh"


class Recipe:
    """Carries out every stage in order, each with the fingerprints of what it builds on.

    Args:
        config: of ``conf/pipeline.yaml``; its folder is ``output_dir``.
    """

    def __init__(self, config: DictConfig) -> None:
        check_formats(config.export)
        self._config = config
        self._root = Path(config.output_dir)
        self._counts: list[int] = sorted(set(config.usefulness.real_counts or ()))
        choices, asked = HydraConfig.get().runtime.choices, HydraConfig.get().overrides.task
        self._trainer, self._metric = (
            [f"{group}={choices[group]}", *(word for word in asked if word.startswith(f"{group}."))]
            for group in ("trainer", "metric")
        )
        self._data = [f"data={choices['data']}", *words_of(_own(config.data), "data")]

    def carry_out(self) -> Path:
        """The page of the report."""
        inputs = {"data": _plain(_own(self._config.data)), "counts": self._counts}
        inputs["subset_seed"] = self._config.usefulness.subset_seed
        prepare = functools.partial(prepare_data, self._config, self._counts)
        data = self._do("data", inputs, prepare)
        pretrained = None
        if self._config.pretrain is not None:
            pretrained = self._train("pretrain", self._config.pretrain, self._config.pretrain.data)
        finished: dict[str, Done] = {}
        for choice in (ALL, *map(str, self._counts)):
            finished |= self._two_stages(choice, data, pretrained)
        scores = self._scores(finished)
        sets = {}
        for choice in (ALL, *map(str, self._counts)):
            sets[choice] = self._labelled(choice, data, finished)
        useful = self._usefulness(data, sets)
        everything = [data, *finished.values(), *scores, *sets.values(), *useful]
        write = functools.partial(write_report, self._root)
        report = self._do("report", _prints(everything), write)
        return report.folder / "index.html"

    # Stages -------------------------------------------------------------------------------------

    def _two_stages(self, choice: str, data: Done, pretrained: Done | None) -> dict[str, Done]:
        """Both generators for a choice of labelled pictures, which alone they see."""
        end = "" if choice == ALL else f"_{choice}"
        words = [*self._data, f"++data.splits_file={splits_file(data.folder, choice)}"]
        few = choice != ALL
        found = {f"maps{end}": self._train(f"maps{end}", self._config.maps, words, data, few=few)}
        name = f"photos{end}"
        if pretrained is None:
            found[name] = self._train(name, self._config.photos, words, data, few=few)
            return found
        if choice == ALL:
            alone = "photos_scratch"
            found[alone] = self._train(alone, self._config.photos, words, data)
        start = [f"init_from={pretrained.folder / _BEST}"]
        upon = (data, pretrained)
        found[name] = self._train(name, self._config.photos, [*words, *start], *upon, few=few)
        return found

    def _train(
        self, name: str, node: DictConfig, data: Sequence[str], *upon: Done, few: bool = False
    ) -> Done:
        words = [f"+experiment={node.experiment}", *data, *self._trainer, *self._metric]
        budget = node.budget_few if few else node.budget
        words += [f"seed={self._config.seed}", *node.words, *budget]

        def run(folder: Path) -> None:
            last, summary = folder / _LAST, folder / "run" / "summary.json"
            if summary.is_file() and json.loads(summary.read_text())["status"] == "finished":
                return
            resumed = [f"ckpt_path={last}"] if last.is_file() else []
            if resumed:  # it starts as the interrupted run did
                resumed += ["init_from=null"]
            own = [*words, f"hydra.run.dir={folder / 'run'}", *resumed]
            call("train", own, folder / _COMMANDS)
            if not (folder / _BEST).is_file():
                raise UserError(f"{name} ended before its first validation: give it more time")

        return self._do(name, {"words": words, **_prints(upon)}, run)

    def _scores(self, finished: dict[str, Done]) -> list[Done]:
        """Both stages on the test photos, which no training has seen."""
        found = []
        for kind in ("maps", "photos"):
            runs = [d for n, d in finished.items() if n in (kind, f"{kind}_scratch")]
            folders = ",".join(str(done.folder / "run") for done in reversed(runs))
            words = [f"ckpt_path=[{folders}]", "split=test", *self._metric]
            words += [f"seed={self._config.seed}"]
            run = functools.partial(self._call, "evaluate", words)
            found.append(self._do(f"scores/{kind}", {"words": words, **_prints(runs)}, run))
        return found

    def _labelled(self, choice: str, data: Done, finished: dict[str, Done]) -> Done:
        """Generates a set and exports it."""
        end = "" if choice == ALL else f"_{choice}"
        maps, photos = finished[f"maps{end}"], finished[f"photos{end}"]
        order = self._config.generation
        words = [
            f"maps_from={maps.folder / 'run' / 'checkpoints' / self._config.maps.checkpoint}.ckpt",
            f"photos_from={photos.folder / _BEST}",
            f"reference={reference_file(data.folder, choice)}",
            f"seed={self._config.seed}",
            *(f"{key}={quoted(value)}" for key, value in order.items()),
        ]
        run = functools.partial(self._call, "generate", words)
        upon = [data, maps, photos]
        generated = self._do(f"generated{end}", {"words": words, **_prints(upon)}, run)
        told = {"pretraining": self._pretraining(), "choice": choice}
        export = functools.partial(
            export_all, generated.folder, splits_file(data.folder, choice), told,
            _plain(self._config), list(self._config.export),
        )  # fmt: skip
        inputs = {**told, "formats": list(self._config.export), **_prints([generated])}
        return self._do(f"export{end}", inputs, export)

    def _usefulness(self, data: Done, sets: dict[str, Done]) -> list[Done]:
        node = self._config.usefulness
        folders = {int(c): done.folder / FOLDERS for c, done in sets.items() if c != ALL}
        splits = splits_file(data.folder, STUDY)
        size = len(json.loads(splits.read_text())["train"])
        if node.all_pictures:
            folders[size] = sets[ALL].folder / FOLDERS
        if not folders:
            return []
        shown = ",".join(f"{count}:'{folder}'" for count, folder in folders.items())
        words = [
            *self._data, f"++data.splits_file={splits}", *self._trainer,
            f"synthetic={{{shown}}}", f"real_counts={sorted(folders)}".replace(" ", ""),
            f"subset_seed={node.subset_seed}", f"seeds={list(node.seeds)}".replace(" ", ""),
            f"steps={node.steps}", f"data.batch_size={node.batch_size}",
        ]  # fmt: skip
        run = functools.partial(self._call, "usefulness", words, below="study")
        inputs = {"words": words, **_prints([data, *sets.values()])}
        return [self._do("usefulness", inputs, run)]

    # What they share ----------------------------------------------------------------------------

    def _call(self, door: str, words: Sequence[str], folder: Path, below: str = "") -> None:
        target = folder / below
        own = [f"output_dir={target}", f"hydra.run.dir={folder}"]
        call(door, [*words, *own], folder / _COMMANDS)

    def _do(self, name: str, inputs: dict[str, Any], run: Any) -> Done:
        return carry_out(Stage(name, inputs, run), self._root)

    def _pretraining(self) -> str:
        node = self._config.pretrain
        return "none" if node is None else str(node.told)


def _prints(stages: Sequence[Done]) -> dict[str, Any]:
    return {"upon": {done.name: done.fingerprint for done in stages}}


def _own(data: DictConfig) -> DictConfig:
    """The data set without what each stage sets for itself."""
    kept = OmegaConf.create({k: v for k, v in data.items() if k != "classes"})
    assert isinstance(kept, DictConfig)
    return kept


def _plain(node: DictConfig) -> dict[str, Any]:
    found = OmegaConf.to_container(node, resolve=True)
    assert isinstance(found, dict)
    return found  # type: ignore[return-value]
