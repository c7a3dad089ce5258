"""Sessions, credentials, one-time codes, throttling and revocation."""
