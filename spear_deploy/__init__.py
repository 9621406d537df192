"""Prune a trained spiking network until it fits a neuromorphic chip, and prove what it will do there."""

from importlib.metadata import version

__version__ = version("spear-deploy")
