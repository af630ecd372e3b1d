#!/bin/sh
# The two-stage system on 400 real photos with part polygons, at a CPU's budget.
# Usage, in a clone: experiments/two_stage_car_parts/run.sh CAR_PARTS_FOLDER
set -eu
data=$(realpath "$1")
drawn='"data=toycars","data.source.length=1000","data.size=[64,64]"'
some='"trainer.max_epochs=30","trainer.check_val_every_n_epoch=10"'
.venv/bin/python -m carsynth.pipeline +experiment=two_stage data=car_parts data.root="$data" \
  'data.fractions=[0.7,0.1,0.2]' trainer=cpu metric=random_inception \
  'maps.budget=["trainer.max_epochs=400","trainer.check_val_every_n_epoch=40"]' \
  'photos.budget=["trainer.max_epochs=150"]' \
  "pretrain={experiment: pix2pixhd_unet, data: [$drawn], words: [], budget: [$some], told: 'Stage II on 1,000 drawn cars (toycars)'}" \
  generation.num_images=1000 'usefulness.real_counts=[25]' 'usefulness.seeds=[0,1,2]' \
  hydra.run.dir=outputs/two_stage_car_parts
