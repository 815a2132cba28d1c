"""The problem table."""

from __future__ import annotations

from delineate.domain import errors
from delineate.domain.errors import DelineateError, MissingSlice, VolumeChoiceRequired
from delineate.http.problems import STATUS, problem_document


def leaves(kind: type[DelineateError]) -> set[type[DelineateError]]:
    below = set().union(*(leaves(sub) for sub in kind.__subclasses__())) if kind.__subclasses__() else {kind}
    return below - {errors.Worded}


def test_every_leaf_of_the_error_tree_has_a_row() -> None:
    assert leaves(DelineateError) == set(STATUS)


def test_every_leaf_is_drawn_in_the_tree_of_the_module() -> None:
    drawn = errors.__doc__ or ""
    assert all(leaf.__name__ in drawn for leaf in leaves(DelineateError))


def test_no_expected_error_is_an_internal_one() -> None:
    assert all(status != 500 and 400 <= status < 600 for status in STATUS.values())


def test_a_problem_names_its_type_and_carries_the_fields() -> None:
    document = problem_document(MissingSlice(positions=((1.0, 2.0, 3.0),), neighbours=("1.2", "1.3")))
    assert document["type"] == "urn:delineate:problem:missing-slice"
    assert document["status"] == 422
    assert document["positions"] == ((1.0, 2.0, 3.0),)
    assert "(1.000, 2.000, 3.000) mm" in document["detail"]


def test_a_choice_of_volumes_lists_them() -> None:
    document = problem_document(VolumeChoiceRequired(({"id": "b-0", "label": "b 0", "instances": 12},)))
    assert "b-0 = b 0 (12 images)" in document["detail"]
