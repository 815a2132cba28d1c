"""The terminology search over DICOM's context groups."""

from __future__ import annotations

import pytest
from pydicom.sr.codedict import codes

from delineate.adapters.context_groups import anatomic_regions, terminology_entries
from delineate.domain.segment import LATERALITIES
from delineate.domain.synonyms import COMMON, SYNONYMS
from delineate.domain.terminology import Terminology, TerminologyEntry


@pytest.fixture(scope="module")
def entries() -> list[TerminologyEntry]:
    return terminology_entries()


@pytest.fixture(scope="module")
def terminology(entries: list[TerminologyEntry]) -> Terminology:
    return Terminology(entries)


def labels(terminology: Terminology, query: str, limit: int = 20) -> list[str]:
    return [entry.label for entry in terminology.search(query, limit=limit)]


def test_every_segmented_property_type_is_there_once_with_a_category(entries: list[TerminologyEntry]) -> None:
    listed = [(entry.type.scheme, entry.type.value) for entry in entries]
    assert len(set(listed)) == len(listed)
    expected = {(code.scheme_designator, code.value) for code in codes.cid7151.concepts.values()}
    assert expected <= set(listed)
    categories = {code.value for code in codes.cid7150.concepts.values()}
    assert {entry.category.value for entry in entries} <= categories


@pytest.mark.parametrize(
    ("label", "category"),
    [
        ("Kidney", "Anatomical Structure"),
        ("Artery", "Anatomical Structure"),
        ("Bone", "Tissue"),
        ("Stent", "Physical object"),
        ("Neoplasm", "Morphologically Abnormal Structure"),
        ("Bile", "Body Substance"),
        ("Contrast agent", "Substance"),
        ("Perfusion", "Function"),
        ("Background", "Spatial and Relational Concept"),
        ("Pelvic cavity, false and/or true", "Anatomical Structure"),
    ],
)
def test_types_have_the_category_of_their_context_group(
    entries: list[TerminologyEntry], label: str, category: str
) -> None:
    assert {entry.category.meaning for entry in entries if entry.label == label} == {category}


def test_exact_matches_come_first_then_beginnings_then_words(terminology: Terminology) -> None:
    found = labels(terminology, "lung", limit=100)
    assert found[0] == "Lung"
    assert found.index("Pulmonary artery") < found.index("Upper lobe of lung")
    assert all("lung" in label.lower() or "pulmonary" in label.lower() for label in found[:10])


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("renal", "Kidney"),
        ("hepatic", "Liver"),
        ("KIDN", "Kidney"),
        ("kidneys", "Kidney"),
        ("oesophagus", "Esophagus"),
        ("oesoph", "Esophagus"),
        ("Œdema", ""),
        ("oedema", "Edema"),
        ("haemorrhage", "Hemorrhage"),
        ("gall bladder", "Gallbladder"),
        ("grey matter", "Gray Matter"),
        ("metastasis", "Neoplasm, Secondary"),
        ("brain tumour", "Lesion of Brain"),
        ("cerebral tumor", "Lesion of Brain"),
        ("vein portal", "Portal vein"),
        ("adrenal", "Adrenal gland"),
        ("chest", "Thorax"),
        ("left kidney", "Kidney"),
        ("both lungs", "Lung"),
        ("left ventricle", "Left ventricle"),
        ("nothing of the kind", ""),
        ("!?", "Liver"),
    ],
)
def test_words_beginnings_synonyms_and_sides(terminology: Terminology, query: str, first: str) -> None:
    found = labels(terminology, query)
    assert (found[0].lower() if found else "") == first.lower()


@pytest.mark.parametrize("query", ["tumour", "tumor", "neoplasm", "lesion", "mass"])
def test_words_for_a_tumour_find_all_of_them(terminology: Terminology, query: str) -> None:
    assert {"Neoplasm", "Lesion", "Mass"} <= set(labels(terminology, query))


def test_every_word_has_to_match(terminology: Terminology) -> None:
    assert labels(terminology, "kidney xyz") == []


def test_an_empty_query_lists_common_types(terminology: Terminology) -> None:
    found = terminology.search("  ", limit=100)
    assert [entry.type.value for entry in found] == list(COMMON)
    assert labels(terminology, "", limit=3) == ["Liver", "Kidney", "Spleen"]


def test_no_more_than_asked_for(terminology: Terminology) -> None:
    assert len(labels(terminology, "artery", limit=7)) == 7


def test_a_side_is_offered_unless_the_type_says_one(terminology: Terminology) -> None:
    (kidney, *_) = terminology.search("kidney", limit=1)
    assert kidney.lateralities == LATERALITIES
    assert [side.meaning for side in LATERALITIES] == ["Right", "Left", "Right and left"]
    sided = terminology.search("left", limit=200) + terminology.search("right", limit=200)
    assert len(sided) > 50
    assert all(entry.lateralities == () for entry in sided)
    (lateral, *_) = terminology.search("lateral ventricle", limit=1)
    assert lateral.lateralities == LATERALITIES


def test_the_regions_are_those_of_cid_4_and_every_one_is_anatomy() -> None:
    regions = anatomic_regions()
    expected = {(code.scheme_designator, code.value) for code in codes.cid4.concepts.values()}
    assert {(entry.type.scheme, entry.type.value) for entry in regions} == expected
    assert len(regions) == len(expected)
    assert not any(entry.takes_region for entry in regions)


def test_findings_and_devices_are_in_a_region(terminology: Terminology) -> None:
    for query, takes in (("cyst", True), ("stent", True), ("bone", False), ("kidney", False)):
        (entry, *_) = terminology.search(query, limit=1)
        assert entry.takes_region == takes, query


def test_laterality_codes_are_those_of_cid_244() -> None:
    known = {code.value for code in codes.cid244.concepts.values()}
    assert {side.value for side in LATERALITIES} < known
    assert {side.scheme for side in LATERALITIES} == {"SCT"}


def test_every_group_of_synonyms_finds_something(terminology: Terminology) -> None:
    for group in SYNONYMS:
        found = [set(labels(terminology, word, limit=1000)) for word in group]
        assert set.intersection(*found), group
