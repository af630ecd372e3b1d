"""``python -m benchmarks``: every table, one after the other, on OMP_NUM_THREADS cores."""

import logging
import warnings

import torch

from benchmarks import (
    carbrand_step,
    export,
    extraction,
    frechet_trace,
    loader,
    manifold_memory,
    pix2pixhd_step,
    preparation,
    validation_pass,
)


def main() -> None:
    """Prints what was measured with how many threads, then the tables."""
    warnings.filterwarnings("ignore")
    for name in ("lightning.pytorch", "lightning.pytorch.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.ERROR)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads\n")
    print("## pix2pixHD step against a plain reference step\n")
    pix2pixhd_step.main()
    print("\n## Brand GAN step against a plain reference step\n")
    carbrand_step.main()
    print("\n## Loader against step\n")
    loader.main()
    print("\n## Frechet distance against torchmetrics\n")
    frechet_trace.main()
    print("\n## Inception features against torchmetrics\n")
    extraction.main()
    print("\n## Precision, recall and KID\n")
    manifold_memory.main()
    print("\n## A validation pass\n")
    validation_pass.main()
    print("\n## Preparation of part maps\n")
    preparation.main()
    print("\n## Labelled export\n")
    export.main()


if __name__ == "__main__":
    main()
