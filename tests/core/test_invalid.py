from recon.core.invalid import InvalidValueError, did_you_mean


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
