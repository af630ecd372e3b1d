"""Speed and memory as ratios to plain references, each ratio from one run (make bench)."""
