"""Predictions of other tools become ordinary run folders."""
