"""`consent-gateway explain`: whose is it, and what would happen to it."""

import re
from dataclasses import dataclass
from typing import Literal

import click

from gateway.cli.options import (
    Given,
    grant_option,
    granted,
    in_order,
    json_option,
    print_json,
    settings_options,
    site_option,
    table,
    wants_json,
)
from gateway.consent.model import Decision
from gateway.vendors import url as urls
from gateway.vendors.catalogue import Catalogue
from gateway.vendors.match import Verdict

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?!\d+(/|$))")


@dataclass(frozen=True, slots=True)
class Subject:
    """What is asked about, and the rules that know it; *mentioned* ones know it without acting on it.

    *contacts* is false for what needs no network: no rule is asked then.
    """

    kind: Literal["url", "cookie", "inline"]
    acting: tuple[Verdict, ...]
    mentioned: tuple[Verdict, ...] = ()
    contacts: bool = True


@click.command()
@click.argument("subject")
@site_option
@grant_option
@settings_options
@json_option
def explain(*, subject: str, site: str | None, grant: str, given: Given, as_json: bool) -> None:
    """Tell whose SUBJECT is, by which rule, and what would happen to it.

    SUBJECT is a URL (https:// is understood; /path is relative to the page), cookie:NAME, or inline:FILE with the code of
    one script (inline:- reads standard input). Rules that need something else in the page first are not tried.

    JSON: {"subject", "kind": "url"|"cookie"|"inline", "matches": [{"vendor", "name", "rule", "file", "categories",
    "allowed"}], "withheld": bool, "reason": text}. Status 0 whether or not a rule matches.
    """
    loaded, catalogue = given.load(needs_origin=False)
    decision = granted(grant, catalogue)
    asked = _ask(subject, site=site or f"{loaded.settings.origin.url}/", catalogue=catalogue)
    withheld = [verdict for verdict in asked.acting if not decision.allows(verdict.needs, vendor=verdict.vendor)]
    answer = {
        # What a shell passed need not be UTF-8, and JSON must be.
        "subject": subject.encode(errors="backslashreplace").decode(),
        "kind": asked.kind,
        "matches": [_match(verdict, decision, catalogue) for verdict in asked.acting + asked.mentioned],
        "withheld": bool(withheld),
        "reason": _reason(asked, withheld, decision, catalogue),
    }
    if wants_json(as_json=as_json):
        print_json(answer)
        return
    if answer["matches"]:
        click.echo(
            table(
                [
                    ("vendor", "rule", "needs", "allowed", "file"),
                    *(
                        (
                            catalogue.vendors[verdict.vendor].vendor.name,
                            f"{verdict.vendor}: {verdict.rule}",
                            ", ".join(in_order(verdict.needs)),
                            "yes" if decision.allows(verdict.needs, vendor=verdict.vendor) else "no",
                            catalogue.files[verdict.vendor],
                        )
                        for verdict in asked.acting + asked.mentioned
                    ),
                ]
            )
        )
    click.echo(f"{'withheld' if withheld else 'passes'}: {answer['reason']}")


def _ask(subject: str, *, site: str, catalogue: Catalogue) -> Subject:
    page = urls.parse(site)
    assert page is not None  # the settings and the option saw to it
    matcher = catalogue.matcher
    if subject.startswith("cookie:"):
        name = subject.removeprefix("cookie:")
        acting = matcher.cookie(name)
        mentioned = tuple(verdict for verdict in matcher.cookie(name, mentions=True) if verdict not in acting)
        return Subject("cookie", acting, mentioned)
    if subject.startswith("inline:"):
        code = _code(subject.removeprefix("inline:"))
        return Subject("inline", matcher.inline(code, where="script", site_host=page.host))
    text = subject if _SCHEME.match(subject) or subject.startswith("/") else f"https://{subject}"
    url = urls.parse(text, page.href)
    if url is None:
        if _SCHEME.match(subject) and not re.match(r"(?i)(https?|wss?):", subject):
            return Subject("url", (), contacts=False)
        raise click.BadParameter("not a URL that a browser would fetch", param_hint="'SUBJECT'")
    return Subject("url", matcher.url(url, site_host=page.host))


def _code(file: str) -> bytes:
    try:
        with click.open_file(file, "rb") as stream:
            return bytes(stream.read())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise click.BadParameter(f"{file}: {reason.lower()}", param_hint="'SUBJECT'") from error


def _match(verdict: Verdict, decision: Decision, catalogue: Catalogue) -> dict[str, object]:
    return {
        "vendor": verdict.vendor,
        "name": catalogue.vendors[verdict.vendor].vendor.name,
        "rule": verdict.rule,
        "file": catalogue.files[verdict.vendor],
        "categories": in_order(verdict.needs),
        "allowed": decision.allows(verdict.needs, vendor=verdict.vendor),
    }


def _reason(asked: Subject, withheld: list[Verdict], decision: Decision, catalogue: Catalogue) -> str:
    have = ", ".join(in_order(decision.granted) + sorted(decision.vendors_granted))
    if withheld:
        needs = "; ".join(f"{verdict.vendor} needs {', '.join(in_order(verdict.needs))}" for verdict in withheld)
        return f"{needs}; granted: {have}"
    if asked.acting:
        return f"all that is needed is granted: {have}"
    if any(_is_third_party(verdict, catalogue) for verdict in asked.mentioned):
        return (
            "a cookie of the vendor's own hosts: it comes and goes with the requests there; here the name is the site's"
        )
    if asked.mentioned:
        return "the name is too general: without the vendor on the page it may be the site's own"
    return "no rule matches" if asked.contacts else "it contacts no host"


def _is_third_party(verdict: Verdict, catalogue: Catalogue) -> bool:
    name = verdict.rule.removeprefix("cookies.")
    return any(rule.name == name and rule.party == "third" for rule in catalogue.vendors[verdict.vendor].cookies)
