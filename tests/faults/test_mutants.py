"""Every mutant can still be made, and names rows and tests that exist. `make chaos-mutants` tries them."""

import ast

import pytest

from config.env import ROOT
from tests.faults import scenarios
from tests.faults.mutants import Trial
from tests.faults.mutations import _ALL, MUTANTS, Moved, Mutant
from tests.faults.run import SCENARIOS

scenarios.register()


@pytest.mark.parametrize("mutant", _ALL, ids=lambda mutant: mutant.name)
def test_a_mutant_can_be_made_and_is_tried(mutant):
    changed = mutant.changed(ROOT)
    assert changed != (ROOT / mutant.file).read_text()
    if mutant.file.endswith(".py"):
        ast.parse(changed)
    assert mutant.rows or mutant.tests
    assert set(mutant.rows) <= set(SCENARIOS)
    assert all((ROOT / path).exists() for tests in mutant.tests for path in tests.split())


def test_names_are_unique_and_there_are_at_least_thirty():
    assert len(MUTANTS) == len(_ALL) >= 30


def test_a_text_that_has_moved_is_an_error(tmp_path):
    (tmp_path / "a.py").write_text("here = 1\nhere = 1\n")
    for old in ("there = 1", "here = 1"):
        with pytest.raises(Moved, match=old):
            Mutant("x", "breaks", "a.py", old, "").changed(tmp_path)


@pytest.mark.parametrize(
    ("rows", "tests", "noticed"),
    [
        ({"L1": ["lost 1"], "L2": ["stuck 1"]}, {}, True),
        ({"L1": ["lost 1"], "L2": []}, {"a": "b"}, False),
        ({}, {"a": "", "b": "c"}, True),
        ({}, {"a": ""}, False),
    ],
)
def test_every_row_that_is_named_must_notice_and_otherwise_one_test(rows, tests, noticed):
    assert Trial("x", "breaks", "a.py", rows, tests).noticed is noticed
