"""The Python client of a Tenuto server: `Client` for a live session, `tenuto.client.rest.Rest` for the rest."""

from tenuto.client.client import Client
from tenuto.client.core import ClientCore, Options
from tenuto.client.items import (
    Changed,
    Complained,
    Happened,
    Item,
    Missed,
    Restored,
    State,
    Told,
)

__all__ = [
    "Changed",
    "Client",
    "ClientCore",
    "Complained",
    "Happened",
    "Item",
    "Missed",
    "Options",
    "Restored",
    "State",
    "Told",
]
