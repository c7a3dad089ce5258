"""Background services: the daemons, their market feeds, and the control that runs each at most once."""
