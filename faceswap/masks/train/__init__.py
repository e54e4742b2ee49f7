"""Training mask networks: samples, runs, the bundled model, measuring."""
