"""Training of the embedded model `tiny` from scratch on the synthetic tasks (see docs/tiny.md)."""
