"""Whether each manifest has the fields that its kind has, and no others."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import jsonschema
import kubernetes_validate
import yaml

from .kustomization import Document

CUSTOM = Path(__file__).parent.parent / "kubernetes" / "schemas" / "custom-resources.yaml"
# The oldest that the manifests are written for, and the newest that the package of schemas knows.
VERSIONS = ("1.29", kubernetes_validate.latest_version())


@cache
def _custom() -> dict:
    return yaml.safe_load(CUSTOM.read_text())


def problems(document: Document) -> list[str]:
    """What is wrong with a manifest's form."""
    return _problems(json.dumps(document))


@cache
def _problems(text: str) -> list[str]:
    """Remembered, because the schemas are megabytes and tests look at the same manifests again and again."""
    document = json.loads(text)
    name = f"{document.get('kind')}/{document.get('metadata', {}).get('name')}"
    schema = _custom().get(f"{document.get('apiVersion')}/{document.get('kind')}")
    if schema is not None:
        unknown = set(document) - {"apiVersion", "kind", "metadata", "spec"}
        errors = jsonschema.Draft202012Validator(schema).iter_errors(document.get("spec"))
        return [f"{name}: unknown field {field}" for field in sorted(unknown)] + [
            f"{name}: spec.{error.json_path.removeprefix('$').removeprefix('.')}: {error.message}" for error in errors
        ]
    found = []
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            found.append(f"{name}: {'.'.join(map(str, error.path))}: {error.message} (Kubernetes {version})")
        except kubernetes_validate.SchemaNotFoundError as error:
            found.append(f"{name}: {error.message}")
    return found
