"""The process that runs Lava.

Stands alone: it imports the standard library, numpy, scipy and Lava, nothing of ours, so that
an interpreter without spear-deploy can run it. Imports between its modules are relative
because there it is a package of its own.
"""
