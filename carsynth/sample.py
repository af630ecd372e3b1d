"""``python -m carsynth.sample ckpt_path=FILE output_dir=DIR``: pictures from a checkpoint alone."""

from pathlib import Path

from omegaconf import DictConfig
from PIL import Image
from tqdm import tqdm

from carsynth.callbacks.run_record import CHECKPOINT_KEY
from carsynth.checkpoint import module_from_checkpoint, read_checkpoint
from carsynth.cli import door
from carsynth.data.new_folder import check_new
from carsynth.device import choose
from carsynth.errors import UserError
from carsynth.modules.latent_drawing import LatentDrawing
from carsynth.reporting.sheets import save_gif, sheet
from carsynth.sampling.latent import FromLatents
from carsynth.sampling.painted import Drawn, PaintedMaps

FORMS = ("folder", "grid", "gif")
_SHEET = "sheet.png"
_FILM = "walk.gif"
_COLUMNS = 8
_TILES = 64
_MILLISECONDS = 80


def sample(config: DictConfig) -> None:
    """Draws pictures into ``output_dir``, in one of three forms.

    ``folder`` holds a PNG each and a sheet of the first ones, ``grid`` the sheet alone with all of
    them, ``gif`` a film that walks from picture to picture.

    Raises:
        UserError: the checkpoint, what is to be drawn, or the output folder cannot be used.
    """
    if config.form not in FORMS:
        raise UserError(f"form={config.form} is unknown: choose one of {', '.join(FORMS)}")
    folder = Path(config.output_dir)
    check_new(folder)
    checkpoint = read_checkpoint(config.ckpt_path)
    size = tuple(config.size or checkpoint[CHECKPOINT_KEY]["config"]["data"]["size"])
    module = module_from_checkpoint(checkpoint, config.ckpt_path)
    drawing = FromLatents if isinstance(module, LatentDrawing) else PaintedMaps
    pictures = drawing(module, config, size)  # type: ignore[arg-type]
    module.to(choose(config.device))

    kept: list[Drawn] = []
    most = _TILES if config.form == "folder" else pictures.total
    folder.mkdir(parents=True, exist_ok=True)
    with tqdm(desc="pictures", total=pictures.total, unit="img") as bar:
        for batch in pictures.drawn(config.batch_size):
            if config.form == "folder":
                for drawn in batch:
                    Image.fromarray(drawn.picture).save(folder / f"{drawn.name}.png")
            kept += batch[: most - len(kept)]
            bar.update(len(batch))
    shown = folder / (_FILM if config.form == "gif" else _SHEET)
    if config.form == "gif":
        save_gif([Image.fromarray(drawn.tile) for drawn in kept], shown, _MILLISECONDS)
    else:
        sheet([drawn.tile for drawn in kept], _COLUMNS).save(shown)
    print(f"{pictures.total} pictures in {folder}; look at {shown}")


main = door("sample")(sample)

if __name__ == "__main__":
    main()
