"""Plain JSON over WebSocket, as the platform's older clients speak it: one file per domain, name → function."""
