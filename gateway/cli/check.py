"""`consent-gateway check`: settings and rules, every fault of them, before anything is started or reloaded."""

from dataclasses import asdict

import click

from gateway.cli.options import BAD_SETTINGS, Given, end, json_option, print_json, settings_options, wants_json
from gateway.errors import StartupFaults


@click.command()
@settings_options
@json_option
def check(*, given: Given, as_json: bool) -> None:
    """Read settings and rules, and tell every fault of them.

    With a settings file the origin must be named, there or by --origin, as for run; without one the rules are read, and what
    --set says. Status 0: all can be used, 2: there are faults.

    JSON: {"ok": bool, "faults": [{"file", "key", "message"}], "vendors": number}
    """
    try:
        # A settings file that is called good must do for `run`, which needs the origin.
        loaded, catalogue = given.load(needs_origin=given.config is not None)
    except StartupFaults as caught:
        if not wants_json(as_json=as_json):
            raise
        print_json({"ok": False, "faults": list(map(asdict, caught.faults)), "vendors": 0})
        end(BAD_SETTINGS)
    if wants_json(as_json=as_json):
        print_json({"ok": True, "faults": [], "vendors": len(catalogue.vendors)})
        return
    click.echo(f"{len(catalogue.vendors)} vendors, rule set {catalogue.version}")
    if given.config or given.origin:
        click.echo(f"origin {loaded.settings.origin.url}, listening on {loaded.settings.listen.address}")
    click.echo("no faults")
