"""`tenuto keys`, on a file of its own."""

from pathlib import Path

import msgspec

from tests.unit.cli.conftest import Command


def test_a_key_is_shown_once_listed_and_revoked(tenuto: Command, tmp_path: Path) -> None:
    file = str(tmp_path / "keys")
    (made,) = tenuto("keys", "new", "--tenant", "acme", "--keys", file, "--json").lines
    assert str(made["key"]).startswith(f"tk_{made['id']}_")
    (listed,) = tenuto("keys", "list", "--keys", file, "--json").lines
    assert (listed["id"], listed["tenant"]) == (made["id"], "acme")
    assert str(made["key"]) not in Path(file).read_text()
    assert tenuto("keys", "revoke", str(made["id"]), "--keys", file).code == 0
    assert tenuto("keys", "list", "--keys", file, "--json").out == ""


def test_a_person_sees_the_key_alone_on_stdout(tenuto: Command, tmp_path: Path) -> None:
    ran = tenuto("keys", "new", "--keys", str(tmp_path / "keys"))
    assert ran.out.startswith("tk_")
    assert len(ran.out.split()) == 1
    assert "cannot be shown again" in ran.err


def test_without_a_key_the_list_says_how_to_make_one(tenuto: Command, tmp_path: Path) -> None:
    ran = tenuto("keys", "list", "--keys", str(tmp_path / "keys"))
    assert (ran.code, ran.out) == (0, "")
    assert "tenuto keys new" in ran.err


def test_a_third_key_of_a_tenant_is_refused(tenuto: Command, tmp_path: Path) -> None:
    file = str(tmp_path / "keys")
    assert [tenuto("keys", "new", "--keys", file).code for _ in range(2)] == [0, 0]
    ran = tenuto("keys", "new", "--keys", file, "--json")
    assert ran.code == 1
    assert msgspec.json.decode(ran.err)["error"]["code"] == "quota_exceeded"


def test_revoking_an_unknown_key_fails(tenuto: Command, tmp_path: Path) -> None:
    ran = tenuto("keys", "revoke", "12345678", "--keys", str(tmp_path / "keys"))
    assert ran.code == 1
    assert "tenuto keys list" in ran.err


def test_a_folder_or_a_path_that_is_not_there_is_refused_in_words(
    tenuto: Command, tmp_path: Path
) -> None:
    for verb in (["new"], ["list"], ["revoke", "5f2c81aa"]):
        ran = tenuto("keys", *verb, "--keys", str(tmp_path))
        assert (ran.code, ran.out) == (1, "")
        assert "is no file" in ran.err and "tenuto.keys" in ran.err and "chmod" not in ran.err
        ran = tenuto("keys", *verb, "--keys", str(tmp_path / "nowhere" / "keys"))
        assert (ran.code, ran.out) == (1, "")
        assert "no folder" in ran.err and "Errno" not in ran.err


def test_how_to_make_a_key_names_the_file_that_was_asked_for(
    tenuto: Command, tmp_path: Path
) -> None:
    file = str(tmp_path / "keys")
    assert f"tenuto keys new --keys {file}" in tenuto("keys", "list", "--keys", file).err
