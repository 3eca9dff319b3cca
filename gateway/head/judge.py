"""What a head names, judged: vendor URLs and cookies against the decision, and the facts that come of it."""

from collections.abc import Sequence

from gateway.consent.model import NECESSARY_ONLY, Decision
from gateway.vendors import url
from gateway.vendors.match import Matcher, Verdict
from gateway.withheld import Action, Kind, Withheld


class Judge:
    """Answers for one head, and remembers what it refused.

    *withheld* grows by one for each refusal. *matched* tells whether any rule that asks for consent matched, refused or not:
    then this head looks different to somebody who decided differently.
    """

    def __init__(self, decision: Decision, matcher: Matcher, *, site: str) -> None:
        self._decision = decision
        self._matcher = matcher
        self._site = site
        self.withheld: list[Withheld] = []
        self.matched = False

    @property
    def refuses_nothing(self) -> bool:
        """This visitor agreed to everything: only *matched* can still be learned from asking."""
        return self._decision.allows_everything

    def refuses_url(self, text: str, kind: Kind) -> bool:
        """*text*, seen from the page, is a vendor's and this visitor did not agree to it."""
        found = url.parse(text, self._site)
        if found is None:
            return False
        site = url.parse(self._site)
        verdicts = self._matcher.url(found, site_host=site.host if site else "")
        return self._refuses(verdicts, kind, host=found.host)

    def refuses_connection(self, text: str, kind: Kind) -> bool:
        """A mere connection to the host of *text* is a vendor's and this visitor did not agree to it."""
        found = url.parse(text, self._site)
        if found is None:
            return False
        site = url.parse(self._site)
        verdicts = self._matcher.connection(found, site_host=site.host if site else "")
        self.matched = self.matched or any(not verdict.needs <= NECESSARY_ONLY for verdict in verdicts)
        if any(self._decision.allows(verdict.needs, vendor=verdict.vendor) for verdict in verdicts):
            return False
        return self._refuses(verdicts[:1], kind, host=found.host)

    def refuses_cookie(self, name: bytes, kind: Kind) -> bool:
        """The cookie is a vendor's and this visitor did not agree to it."""
        return self._refuses(self._matcher.cookie(name.decode("latin-1")), kind, host="")

    def _refuses(self, verdicts: Sequence[Verdict], kind: Kind, *, host: str) -> bool:
        for verdict in verdicts:
            self.matched = self.matched or not verdict.needs <= NECESSARY_ONLY
            if not self._decision.allows(verdict.needs, vendor=verdict.vendor):
                self.withheld.append(
                    Withheld(
                        kind=kind,
                        vendor=verdict.vendor,
                        rule=verdict.rule,
                        needs=verdict.needs,
                        action=Action.REMOVED,
                        host=host,
                    )
                )
                return True
        return False
