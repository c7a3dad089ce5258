"""The demo's data: catalogue, history, simulated market and simulated traders."""
