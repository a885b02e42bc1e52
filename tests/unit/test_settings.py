"""Where settings come from, and what is said of a wrong one."""

from pathlib import Path

import pytest

from tenuto.errors import InvalidConfig
from tenuto.settings import Price, TenutoConfig, load, unknown_variables


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tenuto.toml"
    path.write_text(
        'store = "sqlite:///from-file.db"\nport = 7000\ngrace = 5\nallow = ["a.example"]\n'
    )
    return path


def test_without_anything_the_defaults_hold() -> None:
    assert load() == TenutoConfig()


def test_a_flag_wins_over_a_variable_and_a_variable_over_the_file(file: Path) -> None:
    config = load(
        {"port": 9000, "store": None},
        {"TENUTO_PORT": "8000", "TENUTO_STORE": "memory:"},
        file,
    )
    assert (config.port, config.store, config.grace) == (9000, "memory:", 5.0)


def test_a_variable_is_read_in_the_type_of_its_key() -> None:
    config = load({}, {"TENUTO_ALLOW": "a.example, https://b.example", "TENUTO_LEASE": "2.5"})
    assert config.allow == ("a.example", "https://b.example")
    assert config.lease == 2.5


def test_a_list_in_the_file_is_read(file: Path) -> None:
    assert load({}, {}, file).allow == ("a.example",)


@pytest.mark.parametrize(
    ("flags", "environ", "said"),
    [
        ({"port": 70000}, {}, "The flag --port cannot be 70000. Accepted: a whole number from 0"),
        (
            {},
            {"TENUTO_PORT": "many"},
            "The variable TENUTO_PORT cannot be 'many'. Accepted: a whole",
        ),
        ({}, {"TENUTO_STORE": "mysql://x"}, "The variable TENUTO_STORE cannot be 'mysql://x'."),
        ({}, {"TENUTO_STORE": "sqlite:///"}, "Accepted: sqlite:///PATH"),
        ({"engine": "hal"}, {}, "Accepted: local, text, echo"),
        ({"grace": -1}, {}, "The flag --grace cannot be -1. Accepted: seconds"),
        ({"lease": 0}, {}, "more than 0"),
        ({"listeners": 0}, {}, "from 1 to 64"),
        ({}, {"TENUTO_TIMEZONE": "Mars/Base"}, "an IANA name"),
        ({"url": "ftp://x"}, {}, "begins with ws://"),
        ({"host": ""}, {}, "an address"),
        ({"keys": ""}, {}, "the path of a file"),
    ],
)
def test_a_bad_value_names_its_place_and_what_is_accepted(
    flags: dict[str, object], environ: dict[str, str], said: str
) -> None:
    with pytest.raises(InvalidConfig) as caught:
        load(flags, environ)
    assert said in caught.value.message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "prot = 1",
            "`prot` in {path} is not a setting. Did you mean `port`? Settings are: store,",
        ),
        ("xyzzy = 1", "`xyzzy` in {path} is not a setting. Settings are: store,"),
        ("port = '80x'", "`port` in {path} cannot be '80x'."),
        ("port = 1.5", "`port` in {path} cannot be 1.5."),
        ("allow = [1]", "`allow` in {path} cannot be [1]. Accepted: a list"),
        ("port =", "{path} is not TOML: "),
    ],
)
def test_a_bad_file_says_what_is_wrong_in_it(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "tenuto.toml"
    path.write_text(text)
    with pytest.raises(InvalidConfig) as caught:
        load({}, {}, path)
    assert said.format(path=path) in caught.value.message


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match="There is no file of settings at"):
        load({}, {}, tmp_path / "none.toml")


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match="cannot be read"):
        load({}, {}, tmp_path)


def test_settings_made_in_code_are_checked_too() -> None:
    with pytest.raises(InvalidConfig, match="`grace` cannot be -1"):
        TenutoConfig(grace=-1)


def test_a_value_of_the_wrong_type_made_in_code_is_refused() -> None:
    with pytest.raises(InvalidConfig, match="`port` cannot be '80'"):
        TenutoConfig(port="80")  # type: ignore[arg-type]


def test_a_misspelt_variable_is_found() -> None:
    environ = {"TENUTO_STOER": "memory:", "TENUTO_STORE": "memory:", "TENUTO_KEY": "x", "HOME": "/"}
    assert unknown_variables(environ, known=("TENUTO_KEY",)) == ["TENUTO_STOER"]


def test_settings_of_all_sessions_are_a_table(tmp_path: Path) -> None:
    path = tmp_path / "tenuto.toml"
    path.write_text('engine = "text"\n[agent]\ntemperature = 0.5\nlanguage = "de"\n')
    assert load(path=path).agent == {"temperature": 0.5, "language": "de"}
    assert load(environ={"TENUTO_AGENT": "x"}).agent == {}
    assert unknown_variables({"TENUTO_AGENT": "x"}) == ["TENUTO_AGENT"]
    with pytest.raises(InvalidConfig, match="a table of session settings"):
        TenutoConfig(agent={1: 2})  # type: ignore[dict-item]


# ---------------------------------------------------------------------------------------------------------------- prices


def test_prices_come_from_a_file_a_variable_or_the_program(tmp_path: Path) -> None:
    file = tmp_path / "tenuto.toml"
    file.write_text("[prices.cloud]\nheard_minute = 0.06\nmillion_tokens_in = 4\n")
    expected = {"cloud": Price(heard_minute=0.06, million_tokens_in=4.0)}
    assert load({}, {}, file).prices == expected
    written = '{"cloud": {"heard_minute": 0.06, "million_tokens_in": 4}}'
    assert load({}, {"TENUTO_PRICES": written}).prices == expected
    assert TenutoConfig(prices=expected).prices == expected
    assert TenutoConfig().prices == {}


@pytest.mark.parametrize(
    "prices",
    ['{"cloud": {"a_minute": 1}}', '{"cloud": {"heard_minute": -1}}', '{"cloud": 1}', "{", "[]"],
)
def test_prices_that_are_none_are_refused(prices: str) -> None:
    with pytest.raises(InvalidConfig, match=r"TENUTO_PRICES.*heard_minute"):
        load({}, {"TENUTO_PRICES": prices})


def test_an_unknown_name_is_answered_in_python_too() -> None:
    with pytest.raises(
        InvalidConfig, match=r"`storee` is not a setting\. Did you mean `store`\?"
    ) as caught:
        TenutoConfig(storee="memory:")  # type: ignore[call-arg]
    assert caught.value.fields == ("storee",)
    with pytest.raises(InvalidConfig, match=r"`heard_minutes` is not a setting\. Did you mean"):
        Price(heard_minutes=1)  # type: ignore[call-arg]
    with pytest.raises(InvalidConfig, match="by name"):
        TenutoConfig("memory:")  # type: ignore[call-arg]


@pytest.mark.parametrize("key", TenutoConfig.__struct_fields__)
def test_every_setting_is_of_its_type(key: str) -> None:
    for wrong in (None, 1j, object(), b"x"):
        with pytest.raises(InvalidConfig, match=f"`{key}` cannot be"):
            TenutoConfig(**{key: wrong})  # type: ignore[arg-type]
