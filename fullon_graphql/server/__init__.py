"""The uvicorn server: its protocols, its configuration and the ASGI extension that both sides share."""
