#!/bin/sh
# Car photos by make: carbrand, and fewshot told the make as well, each for the same time.
# Usage, in a clone: experiments/car_makes/run.sh CAR_MAKES_FOLDER
set -eu
data=$(realpath "$1")
minutes=${MINUTES:-35}
for experiment in ${EXPERIMENTS:-carbrand fewshot}; do
  case $experiment in
    carbrand) words="arch.width=16 arch.latent=[[0,100],[30,200],[60,300]]" ;;
    fewshot) words="arch.conditional=true arch.head=projection arch.width=8 data.batch_size=16" ;;
  esac
  .venv/bin/python -m carsynth.train +experiment=$experiment $words \
    data=class_folders data.root="$data" 'data.size=[64,112]' 'data.fractions=[0.85,0.1,0.05]' \
    trainer=cpu metric=random_inception \
    trainer.max_epochs=100000 +trainer.max_time=00:00:$(printf %02d "$minutes"):00 \
    trainer.check_val_every_n_epoch=5 hydra.run.dir=outputs/car_makes/$experiment
done
.venv/bin/python -m carsynth.compare outputs/car_makes
