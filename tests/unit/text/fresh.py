"""A module as it is right after its import, with nothing in its caches."""

from importlib.util import find_spec, module_from_spec
from typing import Any


def fresh(name: str) -> Any:
    """Return a second copy of a module. The one that everybody else uses stays as it is."""
    spec = find_spec(name)
    assert spec and spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
