"""Whether a port can be bound."""

import socket

from tenuto.cli.port import another, why_not


def test_a_free_port_can_be_bound() -> None:
    assert why_not("127.0.0.1", 0) == ""


def test_a_taken_port_says_why() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert "in use" in why_not("127.0.0.1", taken.getsockname()[1])


def test_an_address_of_another_machine_says_why() -> None:
    assert why_not("192.0.2.1", 0) != ""


def test_another_port_is_one_that_exists() -> None:
    assert (another(8765), another(65535)) == (8766, 0)
