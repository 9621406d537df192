"""Lava: a script that runs in lava-nc alone, and a `.net` that lava-dl's netx loads."""

from spear_deploy.exporters.lava.exporter import LavaExporter
from spear_deploy.exporters.lava.netx import NetxExporter

__all__ = ["LavaExporter", "NetxExporter"]
