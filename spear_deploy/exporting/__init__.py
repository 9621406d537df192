"""Exporters: found by entry point, their files proven equal to the network, written whole or not at all."""

from spear_deploy.exporting.exporter import Exporter, Outputs, simulate
from spear_deploy.exporting.faithfulness import assert_faithful, check_faithful, compare
from spear_deploy.exporting.judged import JudgedIntegers
from spear_deploy.exporting.record import ExportEntry, read_record
from spear_deploy.exporting.registry import GROUP, Option, available, check_options, exporter, family, options
from spear_deploy.exporting.run_files import FORMATS, export_nir, export_run
from spear_deploy.exporting.samples import sample_inputs, samples_to_prove
from spear_deploy.exporting.writing import Export, export_model

__all__ = [
    "FORMATS",
    "GROUP",
    "Export",
    "ExportEntry",
    "Exporter",
    "JudgedIntegers",
    "Option",
    "Outputs",
    "assert_faithful",
    "available",
    "check_faithful",
    "check_options",
    "compare",
    "export_model",
    "export_nir",
    "export_run",
    "exporter",
    "family",
    "options",
    "read_record",
    "sample_inputs",
    "samples_to_prove",
    "simulate",
]
