import pytest

from recon.core.invalid import InvalidValueError, did_you_mean, shown


def test_a_problem_seen_from_further_up_has_the_longer_path():
    error = InvalidValueError("bad", (2,)).under("dimensions", "team").under("root")
    assert error.path == ("root", "dimensions", "team", 2)
    assert str(error) == error.message == "bad"


def test_a_misspelled_name_gets_the_nearest_known_one_whatever_its_case():
    assert did_you_mean("Seasns", ["values", "seasons"]) == "; did you mean 'seasons'?"


def test_a_name_like_none_gets_the_choice_if_it_is_short():
    assert did_you_mean("zzz", ["values", "every"]) == "; expected one of: values, every"


def test_a_name_like_none_of_many_gets_no_hint():
    assert did_you_mean("zzz", [f"option{n}" for n in range(20)]) == ""
    assert did_you_mean("zzz", []) == ""


@pytest.mark.parametrize(("value", "words"), [(None, "null"), (True, "'true'"), (7, "'7'"), ("x", "'x'")])
def test_a_value_is_shown_as_its_file_has_it(value, words):
    assert shown(value) == words
