"""Background services: the daemons, what they take prices from, and the control that runs each at most once."""
