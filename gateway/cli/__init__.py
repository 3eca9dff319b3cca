"""The command line: one file a command, put together here."""

import click

from gateway import __version__
from gateway.cli.check import check
from gateway.cli.consent import consent
from gateway.cli.demo import demo
from gateway.cli.explain import explain
from gateway.cli.rewrite import rewrite
from gateway.cli.rules import rules
from gateway.cli.run import run
from gateway.cli.streams import Commands


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="consent-gateway")
def main() -> None:
    """Withhold marketing and analytics vendors from a web site until the visitor agrees.

    Exit status: 0 fine, 1 not as wanted, 2 bad use or bad settings.
    """


for command in (run, demo, check, explain, consent, rewrite, rules):
    main.add_command(command)
