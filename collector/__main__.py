"""`python -m collector` is the command `collector`."""

from collector.commands import main

main(prog_name="collector")
