#!/bin/sh
# The two-stage system on 1,000 drawn cars, at a CPU's budget. Usage, in a clone:
#   experiments/two_stage_toycars/run.sh
set -eu
.venv/bin/python -m carsynth.pipeline +experiment=two_stage data.source.length=1000 \
  trainer=cpu metric=random_inception generation.num_images=2000 \
  'usefulness.real_counts=[25]' 'usefulness.seeds=[0,1,2]' \
  hydra.run.dir=outputs/two_stage_toycars
