"""`python -m mmeval`."""

from mmeval.cli.main import main

main()
