"""Training beside a plain script of the same settings."""
