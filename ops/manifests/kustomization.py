"""Puts manifests together as kustomize does, as far as ours need it: resources, components, and two kinds of patches.

Neither Debian nor PyPI has kustomize, and a check that runs only where it happens to be installed is none. A test
compares the outcome with kustomize's own where that is there. Labels and image names are left as the files have them.
"""

from __future__ import annotations

import copy
from pathlib import Path

import yaml

FILE = "kustomization.yaml"
KNOWN = {"apiVersion", "kind", "namespace", "labels", "resources", "components", "images", "patches"}
# What identifies an element of these lists when two are merged.
KEYS = {"containers": "name", "env": "name", "volumes": "name", "volumeMounts": "mountPath", "ports": "containerPort"}
Document = dict
# Both are safe; the one in C is ten times as fast.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def documents(path: Path) -> list[Document]:
    """What a file holds; empty documents are left out."""
    return [one for one in yaml.load_all(path.read_text(), LOADER) if one]


def identity(document: Document) -> tuple[str, str]:
    return document["kind"], document["metadata"]["name"]


def render(folder: Path) -> list[Document]:
    """All resources of a folder with a kustomization."""
    return _apply(folder, [])


def unlisted(folder: Path) -> list[str]:
    """Files beside a kustomization that it does not name, which would silently do nothing."""
    chosen = _read(folder)
    named = set(chosen.get("resources", [])) | {patch["path"] for patch in chosen.get("patches", [])}
    return sorted({path.name for path in folder.glob("*.yaml")} - named - {FILE})


def _read(folder: Path) -> dict:
    chosen = yaml.load((folder / FILE).read_text(), LOADER)
    unknown = set(chosen) - KNOWN
    if unknown:
        raise ValueError(f"{folder / FILE}: {', '.join(sorted(unknown))} is not understood here")
    return chosen


def _apply(folder: Path, found: list[Document]) -> list[Document]:
    chosen = _read(folder)
    for name in chosen.get("resources", []):
        path = folder / name
        if path.is_dir():
            found = _apply(path, found)
        else:
            found = found + documents(path)
    for name in chosen.get("components", []):
        found = _apply(folder / name, found)
    for patch in chosen.get("patches", []):
        _patch(found, folder / patch["path"], patch.get("target"))
    return found


def _patch(found: list[Document], path: Path, target: dict | None) -> None:
    """Changes the documents in place. A patch that fits nothing is an error."""
    if target is not None:
        operations = yaml.load(path.read_text(), LOADER)
        for operation in operations:
            _operate(_one(found, (target["kind"], target["name"]), path), operation, path)
        return
    for change in documents(path):
        place = found.index(_one(found, identity(change), path))
        found[place] = merged(found[place], change)


def _one(found: list[Document], wanted: tuple[str, str], path: Path) -> Document:
    fitting = [document for document in found if identity(document) == wanted]
    if len(fitting) != 1:
        raise ValueError(f"{path}: there are {len(fitting)} of {'/'.join(wanted)}")
    return fitting[0]


def merged(old: object, change: object, name: str = "") -> object:
    """A strategic merge: mappings by key, lists by what identifies their elements, everything else is replaced."""
    if isinstance(old, dict) and isinstance(change, dict):
        both = {key: merged(old[key], change[key], key) if key in old else change[key] for key in change}
        return copy.deepcopy({**old, **both})
    if isinstance(old, list) and isinstance(change, list) and name in KEYS:
        key = KEYS[name]
        changes = {element[key]: element for element in change}
        kept = [merged(element, changes.pop(element[key], {}), name) for element in old]
        return kept + copy.deepcopy(list(changes.values()))
    return copy.deepcopy(change)


def _operate(document: Document, operation: dict, path: Path) -> None:
    """One operation of RFC 6902: test, add (to a mapping) or replace."""
    *way, last = operation["path"].strip("/").split("/")
    at: object = document
    for step in way:
        at = at[int(step)] if isinstance(at, list) else at[step]
    last = int(last) if isinstance(at, list) else last
    match operation["op"]:
        case "test" if at[last] == operation["value"]:
            pass
        case "add" if isinstance(at, dict):
            at[last] = operation["value"]
        case "replace" if isinstance(at, dict) and last in at:
            at[last] = operation["value"]
        case other:
            raise ValueError(f"{path}: {other} at {operation['path']} does not fit what is there")
