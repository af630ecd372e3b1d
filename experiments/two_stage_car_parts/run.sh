#!/bin/sh
# The two-stage system on 400 real photos with part polygons, at a CPU's budget.
# Usage, in a clone: experiments/two_stage_car_parts/run.sh CAR_PARTS_FOLDER
set -eu
data=$(realpath "$1")
long='"trainer.max_epochs=100000","+trainer.max_time=00:00:0'
drawn='"data=toycars","data.source.length=1000","data.size=[64,64]"'
photos='"arch=pix2pixhd_looks","arch.width=24","arch.blocks=3","arch.downsamplings=3","optim.lr=4e-4","data.batch_size=4"'
.venv/bin/python -m carsynth.pipeline +experiment=two_stage data=car_parts data.root="$data" \
  'data.fractions=[0.7,0.1,0.2]' trainer=cpu metric=random_inception \
  "maps.budget=[${long}6:00\"]" \
  "maps.budget_few=[${long}3:00\",\"trainer.check_val_every_n_epoch=50\"]" \
  "photos.budget=[${long}4:00\"]" \
  "photos.budget_few=[${long}3:00\",\"trainer.check_val_every_n_epoch=50\"]" \
  "pretrain={experiment: pix2pixhd, data: [$drawn], words: [$photos], budget: [${long}5:00\"], told: 'Stage II on 1,000 drawn cars (toycars)'}" \
  generation.num_images=600 generation.attempts=2000 'usefulness.real_counts=[25]' 'usefulness.seeds=[0,1]' \
  hydra.run.dir=outputs/two_stage_car_parts
