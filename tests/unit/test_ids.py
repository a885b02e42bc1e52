import os
import subprocess
import sys

import pytest

from tenuto.ids import LONGEST_NAME, host_id, is_gone, is_name, new_epoch, new_id, new_secret


def test_ids_made_later_sort_later() -> None:
    ids = [new_id() for _ in range(3)]
    assert len(set(ids)) == 3 and all(len(one) == 36 and one[14] == "7" for one in ids)
    assert ids[0][:13] <= ids[1][:13] <= ids[2][:13]


def test_secrets_have_their_bits() -> None:
    assert len(new_secret(128)) == 22
    assert len({new_secret() for _ in range(10)}) == 10
    assert len(new_epoch()) == 16


def test_living_host_is_not_gone() -> None:
    assert host_id() != host_id()
    assert not is_gone(host_id())


def test_host_that_ended_is_gone() -> None:
    said = subprocess.run(
        [sys.executable, "-c", "from tenuto.ids import host_id; print(host_id())"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert is_gone(said.stdout.strip())


@pytest.mark.parametrize("host", ["", "host", "other", "vm-77-aabbccdd"])
def test_host_of_another_kind_is_never_certain_to_be_gone(host: str) -> None:
    assert not is_gone(host)


def test_host_of_another_container_is_never_certain_to_be_gone() -> None:
    name, process, nonce = host_id().rsplit("-", 2)
    _, started, namespace = process.split(".")
    assert is_gone(f"{name}-1234567890.{started}.{namespace}-{nonce}")
    assert not is_gone(f"{name}-1234567890.{started}.{int(namespace) + 1}-{nonce}")


@pytest.mark.parametrize("name", ["a", "user 7", "Zo\u00eb", "x" * LONGEST_NAME])
def test_what_can_be_an_id(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize("name", ["", "a/b", "a\nb", "\ud800", "x" * (LONGEST_NAME + 1), 7, None])
def test_what_cannot_be_an_id(name: object) -> None:
    assert not is_name(name)
