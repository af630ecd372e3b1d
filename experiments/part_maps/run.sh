#!/bin/sh
# Part maps from latents: both archs of the two-stage report and fewshot, three seeds each, every
# run as long as the others. Usage, in a clone: experiments/part_maps/run.sh CAR_PARTS_FOLDER
set -eu
data=$(realpath "$1")
minutes=${MINUTES:-8}
for seed in ${SEEDS:-0 1 2}; do
  for experiment in dcgan_deconv dcgan_upsample fewshot; do
    case $experiment in
      fewshot) words="arch.width=8 arch.map_encoding=classes arch.diffaug.colour=false callbacks=latent_maps" ;;
      *) words="arch.width=16" ;;
    esac
    .venv/bin/python -m carsynth.train +experiment=$experiment $words seed=$seed \
      data=car_parts data.root="$data" 'data.size=[64,64]' 'data.fractions=[0.8,0.2,0.0]' \
      data.batch_size=16 augment=flip trainer=cpu metric=random_inception \
      trainer.max_epochs=100000 +trainer.max_time=00:00:$(printf %02d "$minutes"):00 \
      trainer.check_val_every_n_epoch=10 hydra.run.dir=outputs/part_maps/${experiment}_$seed
  done
done
.venv/bin/python -m carsynth.compare outputs/part_maps
