"""A search for what a segment shows, over coded concepts."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from delineate.domain.segment import ANATOMY, LATERALITIES, CodedConcept, SegmentDescription
from delineate.domain.synonyms import COMMON, SYNONYMS

Words = tuple[str, ...]
"""A name in lower case, without accents, punctuation and plural endings."""

SIDES = frozenset({"left", "right", "both", "bilateral"})
"""Words of a query that ask for a laterality of an entry rather than for another entry."""

EXACT, BEGINS, HAS_WORDS, HAS_PREFIXES = range(4)
"""How well a name matches a query; lower is better."""


@dataclass(frozen=True, slots=True)
class TerminologyEntry:
    """A type of segment with the category that it belongs to."""

    category: CodedConcept
    type: CodedConcept
    colour: tuple[int, int, int] | None = None
    """Recommended display colour, sRGB 0-255; None where no source recommends one."""

    @property
    def label(self) -> str:
        """What to call such a segment."""
        return self.type.meaning

    @property
    def lateralities(self) -> tuple[CodedConcept, ...]:
        """The sides that it can be given; none where the type's own meaning has one."""
        return () if self.type.states_side else LATERALITIES

    @property
    def takes_region(self) -> bool:
        """Whether it can be in an anatomic region, rather than being one."""
        return (self.category.scheme, self.category.value) not in ANATOMY


@dataclass(frozen=True, slots=True)
class _Names:
    """An entry with the names by which it is found."""

    entry: TerminologyEntry
    label: Words
    others: tuple[Words, ...]


class Terminology:
    """Finds entries by words and beginnings of words, in their labels and in synonyms of them; and the site's presets.

    Examples
    --------
    >>> category = CodedConcept("91723000", "SCT", "Anatomical Structure")
    >>> kidney = TerminologyEntry(category, CodedConcept("64033007", "SCT", "Kidney"))
    >>> [entry.label for entry in Terminology([kidney]).search("left ren", limit=5)]
    ['Kidney']
    """

    def __init__(self, entries: Iterable[TerminologyEntry], presets: Sequence[SegmentDescription] = ()) -> None:
        self._presets = tuple(presets)
        self._names = [_named(entry) for entry in entries]
        codes = {names.entry.type.value: names.entry for names in self._names if names.entry.type.scheme == "SCT"}
        self._common = [codes[code] for code in COMMON if code in codes]

    def __len__(self) -> int:
        return len(self._names)

    def presets(self, query: str) -> list[SegmentDescription]:
        """Return the site's presets of which a word, in label or codes, begins with each word of the query."""
        wanted = _words(query)

        def named(preset: SegmentDescription) -> Words:
            codes = (preset.type, preset.region, preset.laterality)
            meanings = [code.meaning for code in codes if code is not None]
            return _words(" ".join([preset.label, *meanings]))

        return [p for p in self._presets if all(any(n.startswith(w) for n in named(p)) for w in wanted)]

    def search(self, query: str, *, limit: int) -> list[TerminologyEntry]:
        """Return the entries that match every word of the query, the best first; common ones for an empty query."""
        words = _words(query)
        if not words:
            return self._common[:limit]
        found = [(rank, names) for names in self._names if (rank := _rank(words, names)) is not None]
        found.sort(key=lambda pair: (*pair[0], len(pair[1].label), pair[1].label))
        return [names.entry for _, names in found[:limit]]


def _rank(query: Words, names: _Names) -> tuple[int, bool, bool] | None:
    """Return how well an entry matches: quality, whether without the query's side, whether by a synonym."""
    whole = _rank_of_words(query, names)
    rest = tuple(word for word in query if word not in SIDES)
    if not rest or rest == query or not names.entry.lateralities:
        return None if whole is None else (whole[0], False, whole[1])
    sided = _rank_of_words(rest, names)
    ranks = [(rank[0], without, rank[1]) for rank, without in ((whole, False), (sided, True)) if rank is not None]
    return min(ranks, default=None)


def _rank_of_words(query: Words, names: _Names) -> tuple[int, bool] | None:
    own = _quality(query, names.label)
    ranks = [] if own is None else [(own, False)]
    ranks += [(quality, True) for name in names.others if (quality := _quality(query, name)) is not None]
    return min(ranks, default=None)


def _quality(query: Words, name: Words) -> int | None:
    if query == name:
        return EXACT
    if len(query) <= len(name) and query[:-1] == name[: len(query) - 1] and name[len(query) - 1].startswith(query[-1]):
        return BEGINS
    if all(word in name for word in query):
        return HAS_WORDS
    if all(any(other.startswith(word) for other in name) for word in query):
        return HAS_PREFIXES
    return None


def _words(text: str) -> Words:
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return tuple(_singular(word) for word in re.findall(r"[a-z0-9]+", plain.casefold()))


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


GROUPS: tuple[tuple[Words, ...], ...] = tuple(tuple(_words(member) for member in group) for group in SYNONYMS)


def _named(entry: TerminologyEntry) -> _Names:
    label = _words(entry.label)
    names = {label}
    for group in GROUPS:
        names |= {other for name in names for other in _replaced(name, group)}
    return _Names(entry, label, tuple(names - {label}))


def _replaced(name: Words, group: Sequence[Words]) -> Iterator[Words]:
    """Yield the name with a member of the group that occurs in it replaced by each other member."""
    for member in group:
        for start in range(len(name) - len(member) + 1):
            if name[start : start + len(member)] == member:
                yield from (name[:start] + other + name[start + len(member) :] for other in group if other != member)
