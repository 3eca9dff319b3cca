"""What the operator and the region's law say about consent: the part of the settings that the core decides by."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of one site for one region. `settings.consent_policy` builds it from the operator's keys.

    *cookie* is the name of the gateway's own cookie, *readers* the sources of a choice that are read (`own`, and keys of
    `cmp.READERS`), in that order. *gpc*: `Sec-GPC: 1` counts; *choice_overrides_gpc*: save against a yes in the own cookie.
    *lifetime_s* is how long a choice in the own cookie lasts, *notice_version* the oldest notice it may answer to.
    *asks_first*: the law asks for a yes beforehand; else what nobody refused is granted.
    """

    cookie: str
    readers: tuple[str, ...]
    gpc: bool
    choice_overrides_gpc: bool
    lifetime_s: int
    notice_version: int
    asks_first: bool
