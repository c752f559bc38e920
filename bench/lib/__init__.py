"""What the benchmarks share; no benchmark itself (`make bench` runs the scripts of the folder above)."""
