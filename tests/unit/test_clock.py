import pytest

from tenuto.clock import is_zone


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("", True),
        ("Europe/Rome", True),
        ("Mars/Base", False),
        ("../etc/passwd", False),
        ("x" * 300, False),
    ],
)
def test_a_time_zone_is_known_by_its_name(name: str, known: bool) -> None:
    assert is_zone(name) is known
