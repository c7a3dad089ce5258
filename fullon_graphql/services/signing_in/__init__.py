"""Signing in: sessions, credentials, one-time codes, throttling and revocation."""
