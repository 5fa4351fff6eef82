"""Rules and state: no I/O, no clock, no Qt."""
