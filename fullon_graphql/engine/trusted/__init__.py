"""Trusted documents: documents known by an id, those that clients register, and the usage of all."""
