"""`python -m spear_deploy`."""

from spear_deploy.cli import main

main()
