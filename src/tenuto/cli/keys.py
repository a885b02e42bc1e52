"""`tenuto keys`: the API keys of a server. Two of a tenant may be active, so that one is rotated without a pause."""

from typing import Annotated

import typer

from tenuto.cli import options
from tenuto.cli.output import Output, ago
from tenuto.clock import SystemClock

app = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)


@app.command()
def new(
    context: typer.Context,
    tenant: Annotated[str, typer.Option(help="Whose sessions the key opens.")] = "local",
    keys: options.Keys = None,
    config: options.Config = None,
    as_json: options.Json = False,
) -> None:
    """Make a key. It is shown once; only its hash is kept."""
    from tenuto.security.grants import add_key

    path = options.settings(context, config, keys=keys).keys
    key = add_key(path, clock=SystemClock(), tenant=tenant)
    out = Output(as_json)
    out.put({"key": key, "id": key.split("_")[1], "tenant": tenant, "file": path}, key)
    out.note(f"Keep it: it cannot be shown again. Its hash is in {path}.")


@app.command("list")
def list_(
    context: typer.Context,
    keys: options.Keys = None,
    config: options.Config = None,
    as_json: options.Json = False,
) -> None:
    """List the keys that are active, without the keys themselves."""
    from tenuto.security.grants import list_keys

    path = options.settings(context, config, keys=keys).keys
    out, now = Output(as_json), SystemClock.now()
    found = list_keys(path)
    for key in found:
        out.put(
            {"id": key.id, "tenant": key.tenant, "created": key.created},
            f"{key.id}  {key.tenant:<16}  made {ago(key.created, now)}",
        )
    if not found:
        at = f" --keys {keys}" if keys else ""
        out.note(f"There is no key in {path}. Make one: tenuto keys new{at}")


@app.command()
def revoke(
    context: typer.Context,
    key: Annotated[str, typer.Argument(metavar="ID", help="The key's id: see tenuto keys list.")],
    keys: options.Keys = None,
    config: options.Config = None,
    as_json: options.Json = False,
) -> None:
    """Revoke a key. Servers that use the file refuse it within a second."""
    from tenuto.security.grants import revoke_key

    path = options.settings(context, config, keys=keys).keys
    gone = revoke_key(path, key)
    Output(as_json).put(
        {"id": gone.id, "tenant": gone.tenant, "revoked": True}, f"Revoked {gone.id}."
    )
