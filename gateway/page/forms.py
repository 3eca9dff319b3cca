"""Forms that post to a vendor who was not agreed to: they stay usable, without what their hidden fields tell of the visitor.

Rules say which forms are a vendor's and which of their fields carry tracking (`[[forms]]`, `hidden`). The fields are emptied in
their place; whatever the visitor types himself he sends himself.

A button with `formaction` sends a form elsewhere than its `action` says. The fields before it have gone out already and can no longer
be emptied, so a button that would take fields to such a vendor loses its `formaction`: the form goes where its `action` says. Fields
that belong to a form by their `form` attribute alone are not followed.
"""

from collections.abc import Mapping
from itertools import chain

from gateway.page.context import Page
from gateway.page.elements import Values
from gateway.vendors.match import FormVerdict
from gateway.withheld import Action, Kind


class Forms:
    """The forms of one stream of markup. True while fields have to be emptied."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._refused: tuple[FormVerdict, ...] = ()
        self._hidden: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self._hidden)

    def enter(self, values: Values, *, at: int) -> None:
        """The start tag of a form; inside another it is no form (13.2.6.4.7), so the first one's fields go on."""
        if self._hidden:
            return
        attributes = {name.decode("latin-1"): value for name, value in values.items()}
        self._refused, host = self._refused_by(values.get(b"action", ""), attributes)
        self._hidden = frozenset(chain.from_iterable(verdict.hidden for verdict in self._refused))
        self._page.withhold(Kind.FORM, self._refused, Action.DEFERRED, host=host, at=at)

    def leave(self) -> None:
        """The end tag of a form."""
        self._refused, self._hidden = (), frozenset()

    def emptied_for(self, values: Values) -> tuple[FormVerdict, ...]:
        """Whom an input's value must be kept from."""
        name = values.get(b"name", "")
        if name not in self._hidden or values.get(b"type", "").lower() != "hidden":
            return ()
        return tuple(verdict for verdict in self._refused if name in verdict.hidden)

    def refused_button(self, action: str) -> tuple[tuple[FormVerdict, ...], str]:
        """Who takes fields that a button's `formaction` sends, and must not, and the host. Marks of the form do not count."""
        return self._refused_by(action, {})

    def _refused_by(self, action: str, attributes: Mapping[str, str]) -> tuple[tuple[FormVerdict, ...], str]:
        url = self._page.url(action)
        if url is None:
            return (), ""
        decision = self._page.decision
        refused = (
            verdict
            for verdict in self._page.matcher.form(url, attributes)
            if verdict.hidden and not decision.allows(verdict.needs, vendor=verdict.vendor)
        )
        return tuple(refused), url.host
