"""``python -m nbrelapse`` is the command ``nbrelapse``."""

from nbrelapse.cli import main

if __name__ == "__main__":
    main()
