"""`tenuto serve`, as far as it refuses to."""

import socket

from tests.unit.cli.conftest import Command


def test_a_taken_port_is_told_before_anything_starts(tenuto: Command) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ran = tenuto("serve", "--port", str(port), "--store", "memory:")
    assert (ran.code, ran.out) == (1, "")
    assert f"127.0.0.1:{port} cannot be served" in ran.err
    assert f"tenuto serve --port {port + 1}" in ran.err


def test_a_wrong_value_names_its_flag(tenuto: Command) -> None:
    ran = tenuto("serve", "--grace", "-1")
    assert ran.code == 1
    assert "The flag --grace cannot be -1.0" in ran.err
