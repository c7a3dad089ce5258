"""How streams reach clients."""
