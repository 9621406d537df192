"""`python -m spear_deploy`."""

from spear_deploy.cli import main

if __name__ == "__main__":
    main()
