"""`consent-gateway rules`: which vendors count, and whether their files do what they say."""

from pathlib import Path

import click

from gateway.cli.options import (
    NOT_AS_WANTED,
    Given,
    end,
    in_order,
    json_option,
    print_json,
    settings_options,
    table,
    wants_json,
)
from gateway.prove import Proof, prove

# What a line of a terminal has room for; JSON has all.
_HOSTS_SHOWN = 3


@click.group()
def rules() -> None:
    """List the vendors that count, and test their files."""


@rules.command("list")
@settings_options
@json_option
def list_rules(*, given: Given, as_json: bool) -> None:
    """List the vendors that count under these settings.

    JSON: [{"id", "name", "categories", "hosts", "file"}]
    """
    _, catalogue = given.load(needs_origin=False)
    found = [
        {
            "id": vendor_id,
            "name": file.vendor.name,
            "categories": in_order(frozenset(file.consent.categories)),
            "hosts": [host.name for host in file.hosts],
            "file": catalogue.files[vendor_id],
        }
        for vendor_id, file in catalogue.vendors.items()
    ]
    if wants_json(as_json=as_json):
        print_json(found)
        return
    heading = ("id", "name", "categories", "hosts", "file")
    rows = [tuple(_cell(vendor[key]) for key in heading) for vendor in found]
    click.echo(table([heading, *rows]))


@rules.command("test")
@click.argument("dirs", nargs=-1, type=click.Path(path_type=Path), metavar="[DIR]...")
@settings_options
@json_option
def test_rules(*, dirs: tuple[Path, ...], given: Given, as_json: bool) -> None:
    """Run the examples that the vendor files prove themselves with.

    With DIR: those of the files there, laid over the other rules. Without: all. Status 1 where an example fails.

    JSON: {"ok": bool, "passed": number, "failed": number, "results": [{"vendor", "file", "number", "subject", "expected",
    "found", "passed", "note"}]}; number counts the examples of a file from 1, 0 stands for a file without any.
    """
    _, catalogue = given.with_rules(dirs).load(needs_origin=False)
    asked = {
        vendor
        for vendor, file in catalogue.files.items()
        if not dirs or any(Path(file).parent == folder for folder in dirs)
    }
    proofs = [proof for proof in prove(catalogue) if proof.vendor in asked]
    failed = [proof for proof in proofs if not proof.passed]
    if wants_json(as_json=as_json):
        print_json(
            {
                "ok": not failed,
                "passed": sum(proof.passed and proof.number > 0 for proof in proofs),
                "failed": len(failed),
                "results": list(map(_result, proofs)),
            }
        )
    else:
        for proof in proofs:
            if not proof.passed:
                click.echo(
                    f"{proof.file}: example {proof.number} ({proof.subject}){': ' if proof.note else ''}{proof.note}"
                )
                click.echo(f"  expected: {', '.join(proof.expected) or 'nothing'}")
                click.echo(f"  found:    {', '.join(proof.found) or 'nothing'}")
            elif proof.number == 0:
                click.echo(f"{proof.file}: no examples")
        run = sum(proof.number > 0 for proof in proofs)
        click.echo(f"{run - len(failed)} of {run} examples passed, {len(asked)} vendors")
    if failed:
        end(NOT_AS_WANTED)


def _cell(value: object) -> str:
    if not isinstance(value, list):
        return str(value)
    more = f" and {len(value) - _HOSTS_SHOWN} more" if len(value) > _HOSTS_SHOWN else ""
    return ", ".join(map(str, value[:_HOSTS_SHOWN])) + more


def _result(proof: Proof) -> dict[str, object]:
    return {
        "vendor": proof.vendor,
        "file": proof.file,
        "number": proof.number,
        "subject": proof.subject,
        "expected": proof.expected,
        "found": proof.found,
        "passed": proof.passed,
        "note": proof.note,
    }
