"""Service control: desired state, leases and the supervisor that runs each daemon once."""
