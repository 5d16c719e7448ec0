"""`python -m svitlo`."""

from svitlo.cli import main

if __name__ == "__main__":
    main()
