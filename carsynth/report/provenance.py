"""Where everything came from: exports, versions, checkpoints, stages, commands, config."""

from functools import partial
from pathlib import Path

import carsynth
from carsynth.report.evaluated import STAGES
from carsynth.report.marks import marks
from carsynth.report.markup import Html, element, facts, joined, paragraph
from carsynth.report.reading import Lacking, read_json, shown, suffixes
from carsynth.report.tables import Figures, table
from carsynth.report.wording import choice, counted, duration

_VERSIONS = ("carsynth", "torch", "torchvision", "python")
_FORMATS = {
    "coco": "COCO: annotations as run lengths and as polygons",
    "yolo": "YOLO segmentation",
    "folders": "photos and masks, whose indices are part ids",
}


def provenance(root: Path) -> Html:
    """Everything that is needed to make the result again, and to know what it is."""
    parts = {
        "Exports": partial(_exports, root),
        "Versions": partial(_versions, root),
        "Checkpoints": partial(_checkpoints, root),
        "Stages": partial(_stages, root),
        "Commands": partial(_commands, root),
        "Config": partial(_config, root),
    }
    return joined(element("h3", title) + shown(part) for title, part in parts.items())


def _exports(root: Path) -> Html:
    rows = []
    notices = set()
    for end in suffixes(root, "export"):
        for path in sorted((root / f"export{end}").glob("*/provenance.json")):
            told = read_json(root, path.relative_to(root).as_posix())
            notices.add(str(told["notice"]))
            folder = path.parent.relative_to(root).as_posix()
            what = _FORMATS.get(path.parent.name, path.parent.name)
            rows.append([folder, what, choice(end), str(told["created"])])
    if not rows:
        raise Lacking("no export with a provenance.json is there.")
    said = f"Every export says of its pictures: {'; '.join(sorted(notices))}."
    columns = ["Folder", "Format", "Generators saw", "Created"]
    return paragraph(said) + table("Exported labelled pictures", columns, rows)


def _versions(root: Path) -> Html:
    found: dict[str, dict[str, None]] = {}
    for stage in STAGES:
        try:
            told = read_json(root, f"scores/{stage}/metrics.json")
        except Lacking:
            continue
        for name in _VERSIONS:
            found.setdefault(name, {})[str(told[name])] = None
        used = told["extractor"]
        found.setdefault(f"extractor {used['name']}", {})[str(used["fingerprint"])] = None
    pairs = [(name, " and ".join(versions)) for name, versions in found.items()]
    return facts([*pairs, ("carsynth of this page", carsynth.__version__)])


def _checkpoints(root: Path) -> Html:
    rows = []
    for end in suffixes(root, "generated"):
        models = read_json(root, f"generated{end}/generated.json")["models"]
        for part, one in models.items():
            path = Path(str(one.get("path", NO_PATH)))
            within = path.is_relative_to(root.absolute())
            named = path.relative_to(root.absolute()) if within else path
            digest = element("code", str(one["sha256"]), class_="digest")
            rows.append([part, choice(end), str(named), digest])
    if not rows:
        raise Lacking("no generated set is there, whose models could be named.")
    return table("Models behind the pictures", ["Part", "Learnt from", "File", "SHA-256"], rows)


NO_PATH = "what the training pictures showed"
"""Said of the reference, which is no checkpoint."""


def _stages(root: Path) -> Html:
    found = marks(root)
    if not found:
        raise Lacking("no stage has left its mark (stage.json).")
    rows = [
        [mark.name, mark.ended.strftime("%Y-%m-%d %H:%M:%S"), _took(mark.seconds)] for mark in found
    ]
    columns = ["Stage", "Written (UTC)", Figures("Took")]
    return table("Stages, each since its last interruption", columns, rows)


def _took(seconds: float | None) -> str:
    return "unfinished" if seconds is None else duration(seconds)


def _commands(root: Path) -> Html:
    parts = []
    for mark in marks(root):
        path = mark.folder / "commands.sh"
        if path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            parts.append(f"# {mark.name}\n{text.strip()}\n")
    if not parts:
        raise Lacking("no stage has left its commands (commands.sh).")
    return _folded(f"command lines of {counted(len(parts), 'stage')}", "\n".join(parts))


def _config(root: Path) -> Html:
    path = root / "config.yaml"
    if not path.is_file():
        raise Lacking("config.yaml is not there.")
    return _folded("config.yaml", path.read_text(encoding="utf-8", errors="replace"))


def _folded(title: str, text: str) -> Html:
    return element("details", element("summary", title), element("pre", text.strip(), tabindex=0))
