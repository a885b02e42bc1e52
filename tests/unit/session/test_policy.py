"""Context policies, by name."""

import pytest

from tenuto.errors import InvalidConfig
from tenuto.session.policy import Policy, parse_policy


@pytest.mark.parametrize(
    ("text", "policy", "messages", "tokens"),
    [
        ("last_3", Policy("last", 3), 3, None),
        ("all", Policy("all"), None, None),
        ("tokens_10000", Policy("tokens", 10_000), None, 10_000),
        ("summary_20", Policy("summary", 20), 20, None),
    ],
)
def test_a_policy_says_how_much(
    text: str, policy: Policy, messages: int | None, tokens: int | None
) -> None:
    assert parse_policy(text) == policy
    assert (policy.messages, policy.tokens) == (messages, tokens)


@pytest.mark.parametrize(
    "text", ["", "last", "last_0", "last_-1", "all_3", "LAST_3", "tokens_1e3", "last_٣"]
)
def test_what_is_no_policy_is_refused(text: str) -> None:
    with pytest.raises(InvalidConfig, match="last_N, all, tokens_N or summary_N"):
        parse_policy(text)
