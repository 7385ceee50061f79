"""What the benchmarks share: figures, cores, a load generator, stand-ins that answer at once, and a stage."""
