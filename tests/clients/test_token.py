"""The token helper for back ends in Node: this server believes its tokens."""

import json

import pytest

from gateway.auth.bearer import AuthFailed, read_token
from gateway.auth.tokens import make_key_pair

_MAKE = """
import { readFileSync } from "node:fs";
import { makeToken } from "./src/token.js";
const [person, options, privateKey] = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(makeToken(person, privateKey, options));
"""


@pytest.fixture
def made(run_node, settings):
    private, public = make_key_pair()
    settings.JWT_PUBLIC_KEYS, settings.JWT_ISSUERS = [public], ["shop"]

    def make(person: str, **options: object) -> str:
        done = run_node("--input-type=module", "--eval", _MAKE, given=json.dumps([person, options, private]))
        assert done.returncode == 0, done.stderr
        return done.stdout

    return make


def test_a_token_made_in_node_signs_its_person_in(made, ann) -> None:
    assert read_token(made("ann", issuer="shop")).person == ann


def test_its_options_are_the_tokens_claims(made, ann) -> None:
    with pytest.raises(AuthFailed, match="invalid_token"):
        read_token(made("ann"))
    with pytest.raises(AuthFailed, match="token_too_long"):
        read_token(made("ann", issuer="shop", lifeS=3600))
