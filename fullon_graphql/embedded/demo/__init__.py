"""The demo: catalogue, history, simulated market and simulated traders."""
