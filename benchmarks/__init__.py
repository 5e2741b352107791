"""Side-by-side measurements that anyone can run again; each writes `benchmarks/results/NAME.json`."""
