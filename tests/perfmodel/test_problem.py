"""Problem descriptors: every valid one prints and reads back; every wrong one names its field."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfmodel import InputError, Problem, ProblemError

CONV2 = 'g2mb1ic96ih27oc256oh27kh5ph2n"alexnet:conv2"'


@st.composite
def axes(draw) -> dict[str, int]:
    """Sizes along one axis that fit: input, output, kernel, stride, padding, dilation."""
    k, d, p, s = draw(st.integers(1, 7)), draw(st.integers(0, 3)), draw(st.integers(0, 5)), draw(st.integers(1, 4))
    span = (k - 1) * (d + 1) + 1
    i = draw(st.integers(max(1, span - 2 * p), span + 40))
    least, most = max(1, (i + p - span) // s + 1), (i + 2 * p - span) // s + 1
    return {"i": i, "o": draw(st.integers(least, most)), "k": k, "s": s, "p": p, "d": d}


@st.composite
def problems(draw) -> Problem:
    g = draw(st.integers(1, 4))
    sizes = {f"{letter}{axis}": value for axis in "hw" for letter, value in draw(axes()).items()}
    name = draw(st.text(st.characters(exclude_characters='"', exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=20))
    channels = {"ic": g * draw(st.integers(1, 9)), "oc": g * draw(st.integers(1, 9))}
    return Problem(g=g, mb=draw(st.integers(1, 64)), **channels, **sizes, name=name)


@given(problems())
@settings(deadline=None, derandomize=True, max_examples=300)
def test_text_round_trip(problem):
    assert Problem.parse(str(problem)) == problem
    assert str(Problem.parse(str(problem))) == str(problem)


@given(problems())
@settings(deadline=None, derandomize=True)
def test_symmetric_output_size_may_be_left_out(problem):
    full = dataclasses.replace(
        problem,
        oh=(problem.ih + 2 * problem.ph - (problem.kh - 1) * (problem.dh + 1) - 1) // problem.sh + 1,
        ow=(problem.iw + 2 * problem.pw - (problem.kw - 1) * (problem.dw + 1) - 1) // problem.sw + 1,
    )
    text = str(full).replace(f"oh{full.oh}", "", 1).replace(f"ow{full.ow}", "", 1)
    assert Problem.parse(text) == full


@given(problems())
@settings(deadline=None, derandomize=True)
def test_padding_used_is_never_more_than_given_and_last_window_ends_there(problem):
    p = problem
    for used, i, o, k, s, given_, d in zip(
        p.end_padding, (p.ih, p.iw), (p.oh, p.ow), (p.kh, p.kw), (p.sh, p.sw), (p.ph, p.pw), (p.dh, p.dw), strict=True
    ):
        assert 0 <= used <= given_
        last = (o - 1) * s - given_ + (k - 1) * (d + 1)
        assert last <= i + used - 1


@given(st.text(max_size=40))
@settings(deadline=None, derandomize=True)
def test_any_text_parses_or_is_refused_with_a_message(text):
    try:
        Problem.parse(text)
    except ProblemError as error:
        assert str(error)


@pytest.mark.parametrize(
    ("text", "full"),
    [
        (CONV2, 'g2mb1ic96ih27iw27oc256oh27ow27kh5kw5sh1sw1ph2pw2dh0dw0n"alexnet:conv2"'),
        ("ic3ih227oc96kh11sh4", "g1mb1ic3ih227iw227oc96oh55ow55kh11kw11sh4sw4ph0pw0dh0dw0"),
        ("g1mb50ic1ih28oc20oh24kh5ph0", "g1mb50ic1ih28iw28oc20oh24ow24kh5kw5sh1sw1ph0pw0dh0dw0"),
        # A w field given: the others no longer follow the h fields.
        ("ic3ih9oc4kh3sh2ph1iw7kw5", "g1mb1ic3ih9iw7oc4oh5ow3kh3kw5sh2sw1ph1pw0dh0dw0"),
        # Dilation counts from 0: dh1 reads every second pixel.
        ("ic3ih9oc4kh3dh1", "g1mb1ic3ih9iw9oc4oh5ow5kh3kw3sh1sw1ph0pw0dh1dw1"),
        # An output size that asks for less padding at the end.
        ("ic3ih8oc4oh4kh3sh2ph1", "g1mb1ic3ih8iw8oc4oh4ow4kh3kw3sh2sw2ph1pw1dh0dw0"),
        ("ic3ih6oc4oh6kh4ph2", "g1mb1ic3ih6iw6oc4oh6ow6kh4kw4sh1sw1ph2pw2dh0dw0"),
        ("mb2_ic3_ih5_oc4_kh3", "g1mb2ic3ih5iw5oc4oh3ow3kh3kw3sh1sw1ph0pw0dh0dw0"),
        ("  oc4kh3ih05ic3\n", "g1mb1ic3ih5iw5oc4oh3ow3kh3kw3sh1sw1ph0pw0dh0dw0"),
    ],
)
def test_canonical_form(text, full):
    assert str(Problem.parse(text)) == full


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "problem '' lacks ic, ih, oc, kh"),
        ("ic3ih5", "problem 'ic3ih5' lacks oc, kh"),
        ("ic3ih5oc4kh3ic3", "ic is given twice in problem 'ic3ih5oc4kh3ic3'"),
        (
            "ic3ih5oc4kh3 sh2",
            "cannot read ' sh2' in problem 'ic3ih5oc4kh3 sh2'; allowed letters: g mb ic ih iw oc oh ow kh kw sh sw ph pw dh dw n",
        ),
        ("IC3ih5oc4kh3", "cannot read 'IC3ih5oc4kh3' in"),
        ("ic٣ih5oc4kh3", "cannot read 'ic٣ih5oc4kh3' in"),
        ("ic-3ih5oc4kh3", "cannot read 'ic-3ih5oc4kh' in"),
        ('ic3ih5oc4kh3n"a', "cannot read 'n\"a' in"),
        ('ic3ih5oc4kh3n"a"n"b"', "cannot read 'n\"a\"' in"),
        ("ic3ih5oc4kh3iw7", "iw and kw are needed once any w field is given"),
        ("ic0ih5oc4kh3", "ic is 0; allowed: a whole number from 1 to 2147483647"),
        ("ic3ih5oc4kh3sh0", "sh is 0; allowed: a whole number from 1 to 2147483647"),
        ("ic3ih5oc4kh3mb2147483648", "mb is 2147483648; allowed: a whole number from 1 to 2147483647"),
        ("ic" + "9" * 5000 + "ih5oc4kh3", "ic is 99999999999999999999; allowed: a whole number from 1 to 2147483647"),
        ("g2ic3ih5oc4kh3", "ic3 does not divide by g2 groups"),
        ("g3ic3ih5oc4kh3", "oc4 does not divide by g3 groups"),
        ("ic3ih5oc4kh9", "kh9 with dh0 covers 9 pixels, more than the padded input ih5 + 2 x ph0 = 5"),
        ("ic3ih5oc4kh3dh3ph1", "kh3 with dh3 covers 9 pixels, more than the padded input ih5 + 2 x ph1 = 7"),
        ("ic3ih5oc4kh3oh9", "oh9 does not fit ih5 kh3 sh1 ph0 dh0; allowed: 3"),
        ("ic3ih8oc4kh3sh2ph1oh5", "oh5 does not fit ih8 kh3 sh2 ph1 dh0; allowed: 4"),
        ("ic3ih8oc4kh3ph1oh6", "oh6 does not fit ih8 kh3 sh1 ph1 dh0; allowed: 7 to 8"),
        ('ic3ih5oc4kh3n"a\nb"', "name 'a\\nb' holds a quote or a line break; allowed: any other text"),
    ],
)
def test_message_names_the_field(text, message):
    with pytest.raises(ProblemError) as caught:
        Problem.parse(text)
    assert message in str(caught.value)


@pytest.mark.parametrize("wrong", [None, 7, b"ic3ih5oc4kh3"])
def test_a_descriptor_is_text(wrong):
    with pytest.raises(ProblemError, match=r"problem is .*; allowed: a descriptor as text, such as ic96ih27oc256kh5ph2"):
        Problem.parse(wrong)


@pytest.mark.parametrize("value", [1.0, True, "3", None, np.float32(3), -1])
def test_fields_are_whole_numbers(value):
    with pytest.raises(ProblemError, match=r"ph is .*; allowed: a whole number from 0 to 2147483647"):
        dataclasses.replace(Problem.parse(CONV2), ph=value)


@pytest.mark.parametrize("name", ['a"b', "a\nb", "a\r", "a\u2028b", 7])
def test_names_stay_on_one_line_without_quotes(name):
    with pytest.raises(ProblemError, match="holds a quote or a line break"):
        dataclasses.replace(Problem.parse(CONV2), name=name)


def test_problem_errors_are_input_errors_and_value_errors():
    assert issubclass(ProblemError, InputError)
    assert issubclass(InputError, ValueError)


def test_shapes_and_counts_by_hand():
    problem = Problem.parse(CONV2).with_batch(3)
    assert problem.input_shape == (3, 96, 27, 27)
    assert problem.weight_shape == (256, 48, 5, 5)
    assert problem.output_shape == (3, 256, 27, 27)
    assert problem.weight_count == 256 * 48 * 25
    assert problem.flops == 3 * 447_897_600
    assert problem.name == "alexnet:conv2"


@given(problems())
@settings(deadline=None, derandomize=True, max_examples=50)
def test_flops_count_every_tap_of_every_output(problem):
    taps = np.zeros(problem.output_shape, np.int64)
    taps += np.prod(problem.weight_shape[1:])
    assert problem.flops == 2 * int(taps.sum())


def test_hashes_and_pickles():
    problem = Problem.parse(CONV2)
    assert {problem: 1}[Problem.parse(str(problem))] == 1
    assert pickle.loads(pickle.dumps(problem)) == problem
