"""`python -m cosem` is the command `cosem`."""

from cosem.cli import main

if __name__ == "__main__":
    main()
