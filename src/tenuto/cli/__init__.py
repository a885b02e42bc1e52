"""The command line. Each command is a module; what it needs is imported when it runs, so that `--help` is quick."""

import sys


def main() -> None:
    """Run the command that the program's arguments name, and end the process with its exit code."""
    from tenuto.cli.app import run

    sys.exit(run(sys.argv[1:]))
