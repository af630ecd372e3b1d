#!/bin/sh
# Whether the instruments tell good from bad, on folders of real photos.
# Usage, in a clone: experiments/instruments/run.sh CAR_PARTS_FOLDER CAR_MAKES_FOLDER
set -eu
.venv/bin/python experiments/instruments/checks.py \
  car_parts="$1" car_makes="$2" outputs/instruments
