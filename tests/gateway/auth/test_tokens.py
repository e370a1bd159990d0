"""The token helper: what a site's back end makes, this server believes."""

import shlex

import pytest
from django.core.management import CommandError, call_command

from config.env import ROOT
from gateway.auth import tokens
from gateway.auth.bearer import AuthFailed, read_token
from gateway.auth.tokens import make_key_pair
from runtime.postgres import clock

pytestmark = pytest.mark.django_db(transaction=True)


def make_token(person: str, private_key: str, **given) -> str:
    return tokens.make_token(person, private_key, now=clock.now(), **given)


@pytest.fixture
def private_key(tmp_path, settings, capsys) -> str:
    """Make a pair by the command, and let this server trust it by the printed line."""
    path = tmp_path / "private.pem"
    call_command("make_token_keys", path)
    printed = capsys.readouterr().out.strip()
    assert path.stat().st_mode & 0o777 == 0o600
    name, value = shlex.split(printed)[0].split("=", 1)
    assert name == "JWT_PUBLIC_KEYS"
    assert "PRIVATE" not in printed
    settings.JWT_PUBLIC_KEYS = [value.replace("\\n", "\n")]
    return path.read_text()


def test_a_token_signs_its_person_in(private_key, ann) -> None:
    found = read_token(make_token("ann", private_key))
    assert (found.person, (found.expires_at - found.issued_at).total_seconds()) == (
        ann,
        pytest.approx(600, abs=2),
    )


def test_the_servers_audience_and_issuer_count(private_key, ann, settings) -> None:
    settings.JWT_AUDIENCE, settings.JWT_ISSUERS = "bell", ["shop"]
    assert read_token(make_token("ann", private_key, audience="bell", issuer="shop")).person == ann
    for given in ({"audience": "bell"}, {"issuer": "shop"}):
        with pytest.raises(AuthFailed):
            read_token(make_token("ann", private_key, **given))


def test_another_key_or_a_longer_life_is_refused(private_key, ann) -> None:
    with pytest.raises(AuthFailed, match="invalid_token"):
        read_token(make_token("ann", make_key_pair()[0]))
    with pytest.raises(AuthFailed, match="token_too_long"):
        read_token(make_token("ann", private_key, life_s=3600))


def test_a_key_in_use_is_not_overwritten(private_key, tmp_path) -> None:
    with pytest.raises(CommandError, match="exists"):
        call_command("make_token_keys", tmp_path / "private.pem")


def test_the_function_in_the_documentation_makes_good_tokens(private_key, ann) -> None:
    text = (ROOT / "docs/signing-in.md").read_text()
    names: dict = {}
    exec(text.split("```python\n")[1].split("```")[0], names)
    assert read_token(names["make_token"]("ann", private_key)).person == ann
