"""Names of users as DICOM writes them."""

from __future__ import annotations

MAX_PERSON_NAME = 64
"""Characters of one component group of a Person Name (PS3.5 6.2)."""


def person_name(name: str) -> str:
    """Turn a user's name into the alphabetic group of a Person Name.

    A name that is written as one (with ``^``) stays; ``Family, Given`` and ``Given Family`` are taken apart.

    >>> person_name("Ada Maria Müller")
    'Müller^Ada Maria'

    References
    ----------
    PS3.5 6.2.1 (Person Name).
    """
    plain = "".join(c for c in name if c.isprintable() and c not in "\\=").strip()
    if "^" not in plain:
        if "," in plain:
            family, _, given = (part.strip() for part in plain.partition(","))
        else:
            given, _, family = (part.strip() for part in plain.rpartition(" "))
        plain = f"{family}^{given}" if given else family
    return plain[:MAX_PERSON_NAME]
