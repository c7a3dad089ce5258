"""Classes named in the settings by dotted path, so that an installation can bring its own."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class LoadingError(Exception):
    """A dotted path does not lead to a class; the message says why."""


def load_class(path: str) -> type[Any]:
    """The class at `package.module.Class` or `package.module:Class`.

    Raises:
        LoadingError: the path is malformed, the module cannot be imported, or there is no such class in it.
    """
    module_name, _, class_name = path.replace(":", ".").rpartition(".")
    if not module_name or not class_name:
        raise LoadingError(f"'{path}' is not the path of a class. Write it as 'package.module.Class'.")
    try:
        found = getattr(import_module(module_name), class_name, None)
    except ImportError as error:
        raise LoadingError(f"The module of '{path}' cannot be imported: {error}") from error
    if not isinstance(found, type):
        raise LoadingError(f"The module '{module_name}' has no class '{class_name}'.")
    return found
