"""`consent-gateway consent`: what each reader reads in a request's headers, and what is decided."""

import os
import re
import time

import click

from gateway.cli.options import Given, consent_settings_options, in_order, json_option, print_json, table, wants_json
from gateway.consent.decide import decide
from gateway.consent.model import NECESSARY_ONLY, Category, Decision, Signal
from gateway.consent.read import read_signals
from gateway.settings import consent_policy

# RFC 9110, section 5.1: a field name is a token.
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_REGION = re.compile(r"[A-Za-z]{2}(-[A-Za-z0-9]{1,3})?")
_SHOWN = {True: "granted", False: "refused", None: "-"}


@click.command()
@click.option(
    "--header",
    "headers",
    multiple=True,
    metavar="'NAME: VALUE'",
    help="A header of the request, such as 'Cookie: a=b'. Repeatable.",
)
@click.option("--region", metavar="CC[-SUB]", help="Where the visitor is: DE, US-CA. Default: the setting.")
@consent_settings_options
@json_option
def consent(*, headers: tuple[str, ...], region: str | None, given: Given, as_json: bool) -> None:
    """Tell what each reader reads in the headers of a request, and what is decided.

    JSON: {"decided": bool, "granted": [categories], "basis": word, "vendors": {"granted", "refused"}, "signals":
    [{"reader", "decided": bool, "categories": {"functional", "analytics", "marketing": true|false|null}, "vendors":
    {"granted", "refused"}, "time": unix seconds|null, "note": text}]}
    """
    if region and not _REGION.fullmatch(region):
        raise click.BadParameter("write it as DE, or with a subdivision as US-CA", param_hint="'--region'")
    policy = consent_policy(given.settings().consent, region=region.upper() if region else None)
    now = time.time()
    decision = decide(read_signals([_field(header) for header in headers], policy, now=now), policy, now=now)
    if wants_json(as_json=as_json):
        print_json(_answer(decision))
        return
    optional = [category for category in Category if category not in NECESSARY_ONLY]
    click.echo(
        table(
            [
                ("reader", "decided", *optional, "note"),
                *(
                    (
                        signal.reader,
                        "yes" if signal.decided else "no",
                        *(_SHOWN[signal.answer(category)] for category in optional),
                        signal.note,
                    )
                    for signal in decision.signals
                ),
            ]
        )
        if decision.signals
        else "no reader found anything"
    )
    vendors = "".join(
        f"; {word} by name: {', '.join(sorted(names))}"
        for word, names in (("granted", decision.vendors_granted), ("refused", decision.vendors_refused))
        if names
    )
    click.echo(f"granted: {', '.join(in_order(decision.granted))} (basis: {decision.basis}){vendors}")


def _field(header: str) -> tuple[bytes, bytes]:
    # The bytes that the shell passed, whatever they are: cookies are not text.
    name, colon, value = os.fsencode(header).partition(b":")
    if not colon or not _NAME.fullmatch(name):
        raise click.BadParameter("not of the form 'Name: value'", param_hint="'--header'")
    return name, value.strip(b" \t")


def _answer(decision: Decision) -> dict[str, object]:
    return {
        "decided": decision.decided,
        "granted": in_order(decision.granted),
        "basis": decision.basis,
        "vendors": _vendors(decision),
        "signals": [
            {
                "reader": signal.reader,
                "decided": signal.decided,
                "categories": {
                    category: signal.answer(category) for category in Category if category not in NECESSARY_ONLY
                },
                "vendors": _vendors(signal),
                "time": signal.time,
                "note": signal.note,
            }
            for signal in decision.signals
        ],
    }


def _vendors(told: Decision | Signal) -> dict[str, list[str]]:
    return {"granted": sorted(told.vendors_granted), "refused": sorted(told.vendors_refused)}
