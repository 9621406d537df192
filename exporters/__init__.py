"""Exporters: write, read back, prove equal."""
