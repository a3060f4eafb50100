"""The manifests of ops/kubernetes: form, references, security; and that each check finds what it is for."""

import copy
import json
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from collections.abc import Callable
from functools import cache
from pathlib import Path

import yaml

from manifests import kustomization, references, schemas, secrets, security
from stack.layout import ROOT

FOLDER = ROOT / "ops" / "kubernetes"
DEFINITIONS = references.DEFINITIONS
BASE, EXAMPLE = FOLDER / "base", FOLDER / "overlays" / "example"
COMPONENTS = sorted((FOLDER / "components").iterdir())


@cache
def rendered(folder: Path) -> list[dict]:
    """Not to be changed."""
    return kustomization.render(folder)


def queues() -> set[str]:
    """The names of queues, as the code has them."""
    found = set()
    for path in (ROOT / "Sources" / "Contracts").glob("*.swift"):
        found |= set(re.findall(r'Queue = "(millrace\.[a-z.]+)"', path.read_text()))
    return found


def problems(documents: list[dict]) -> list[str]:
    found = [problem for document in documents for problem in schemas.problems(document)]
    for document in documents:
        if document["kind"] == "Deployment":
            found += security.problems(document)
    return found + references.References(documents, queues()).problems()


@cache
def given() -> list[dict]:
    """The Secrets that manifests expect to be there: those of ops/kubernetes/secrets, and those that a component's
    kustomization asks for. Not to be changed."""
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, str(FOLDER / "secrets"), "--directory", name, "--database", "db:27017"]
        finished = subprocess.run(command, capture_output=True, text=True)
    if finished.returncode != 0:
        raise AssertionError(finished.stderr)
    made = json.loads(finished.stdout)["items"]
    clouds = {"s3-key": {"id": "", "secret": ""}, "azure-key": {"key": ""}}
    return made + [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}
        for name, data in clouds.items()
    ]


def rendered_with(*components: Path) -> list[dict]:
    """The base with components on it."""
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        named = [f"../components/{component.name}" for component in components]
        chosen = {"resources": ["../base"], "components": named}
        (Path(folder) / kustomization.FILE).write_text(yaml.safe_dump(chosen))
        return kustomization.render(Path(folder))


class ManifestTests(unittest.TestCase):
    def test_the_base_and_the_example_are_without_fault(self) -> None:
        for folder in (BASE, EXAMPLE):
            self.assertEqual(problems(rendered(folder) + given()), [], folder)

    def test_each_component_fits_the_base(self) -> None:
        for component in COMPONENTS:
            self.assertEqual(problems(rendered_with(component) + given()), [], component)

    def test_every_file_is_listed(self) -> None:
        for folder in (BASE, EXAMPLE, *COMPONENTS):
            self.assertEqual(kustomization.unlisted(folder), [], folder)

    def test_the_gateways_memory_has_room_for_its_buffers_and_streams(self) -> None:
        found = {kustomization.identity(document): document for document in rendered(BASE)}
        container = found["Deployment", "video-streaming"]["spec"]["template"]["spec"]["containers"][0]
        values = {variable["name"]: variable["value"] for variable in container["env"]}
        triggers = found["ScaledObject", "video-streaming"]["spec"]["triggers"]
        streams = int(triggers[0]["metadata"]["threshold"])
        # In MiB: what a process has anyway, READ_AHEAD_BYTES, UPLOAD_BYTES, the cache; and for each stream a chunk.
        used = 96 + 64 + 32 + int(values["CACHE_BYTES"]) // 1024**2
        self.assertLessEqual(used + streams, mebibytes(container["resources"]["requests"]["memory"]))
        # Twice the streams, while another gateway starts.
        self.assertLessEqual(used + 2 * streams, mebibytes(container["resources"]["limits"]["memory"]))

    def test_kustomize_makes_the_same_of_them(self) -> None:
        command = kustomize()
        if command is None:
            print("kustomize is not here: our own reading of the manifests has been checked, and not compared with it")
            return
        for folder in (BASE, EXAMPLE):
            finished = subprocess.run([*command, str(folder)], capture_output=True, text=True)
            self.assertEqual(finished.returncode, 0, finished.stderr)
            theirs = [document for document in yaml.safe_load_all(finished.stdout) if document]
            self.assertEqual(comparable(theirs), comparable(rendered(folder)), folder)


def mebibytes(quantity: str) -> int:
    return int(quantity.removesuffix("Mi"))


def kustomize() -> list[str] | None:
    if shutil.which("kustomize"):
        return ["kustomize", "build"]
    return ["kubectl", "kustomize"] if shutil.which("kubectl") else None


def comparable(documents: list[dict]) -> dict[str, str]:
    """Without what kustomize adds (the namespace, one label, where images come from); lists of names in one order."""
    found = {}
    for document in copy.deepcopy(documents):
        parts = [document, document.get("spec", {}).get("template", {})]
        for part in parts:
            metadata = part.get("metadata", {})
            metadata.pop("namespace", None)
            metadata.get("labels", {}).pop("app.kubernetes.io/part-of", None)
            if not metadata.get("labels", True):
                del metadata["labels"]
        if document["kind"] == "Deployment":
            pod = document["spec"]["template"]["spec"]
            for container in pod["containers"]:
                container["image"] = re.sub(r"^.*/|:.*$", "", container["image"])
                container["env"].sort(key=lambda variable: variable["name"])
                container.get("volumeMounts", []).sort(key=lambda mount: mount["mountPath"])
            pod["volumes"].sort(key=lambda volume: volume["name"])
        found["/".join(kustomization.identity(document))] = json.dumps(document, sort_keys=True)
    return found


class SecretsTests(unittest.TestCase):
    def test_keda_may_look_and_do_nothing_else(self) -> None:
        found = json.loads(secrets.with_keda('{"vhosts": [{"name": "v"}], "users": [], "permissions": []}', "x"))
        self.assertEqual(found["users"][0]["tags"], "monitoring")
        self.assertEqual(
            found["permissions"], [{"user": "keda", "vhost": "v", "configure": "^$", "write": "^$", "read": "^$"}]
        )

    def test_a_password_is_kept(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            for reader in secrets.READERS:
                (Path(name) / reader).mkdir()
            first, second = (secrets.manifests(Path(name), "n") for _ in range(2))
        self.assertEqual(first, second)
        self.assertEqual(len(first[-1]["stringData"]["password"]), 2 * secrets.PASSWORD_BYTES)


class BrokenManifestTests(unittest.TestCase):
    """Each case breaks one manifest, and says what has to be found."""

    def expect(self, kind: str, name: str, change: Callable[[dict], object], words: str) -> None:
        documents = copy.deepcopy(rendered(EXAMPLE) + given())
        fitting = [document for document in documents if kustomization.identity(document) == (kind, name)]
        self.assertEqual(len(fitting), 1, f"{kind}/{name}")
        change(fitting[0])
        found = problems(documents)
        self.assertTrue([problem for problem in found if words in problem], f"{words} is not among {found}")

    def test_form(self) -> None:
        container = self.container
        for kind, name, change, words in (
            ("Deployment", "video-storage", lambda d: d["spec"].update(replica=3), "'replica' was unexpected"),
            ("Deployment", "video-storage", lambda d: container(d).update(imagePullPolicies="x"), "imagePullPolicies"),
            ("Deployment", "video-storage", lambda d: container(d).pop("name"), "'name' is a required property"),
            ("ScaledObject", "video-storage", lambda d: d["spec"].update(maxReplicas=3), "maxReplicas"),
            ("ScaledObject", "video-storage", lambda d: d["spec"].update(minReplicaCount=0), "minReplicaCount"),
            ("ScaledObject", "video-streaming", lambda d: metadata(d, 0).update(treshold="1"), "spec.triggers[0]"),
            ("ScaledObject", "video-storage", lambda d: metadata(d, 0).update(value=120), "spec.triggers[0]"),
            ("RabbitmqCluster", "rabbit", lambda d: d["spec"].update(replicas=2), "spec.replicas"),
            ("RabbitmqCluster", "rabbit", lambda d: d.update(apiVersion="rabbitmq.com/v2"), "Couldn't find schema"),
            ("Service", "video-streaming", lambda d: d["spec"]["ports"][0].update(port="http"), "port"),
        ):
            with self.subTest(f"{kind}/{name}: {words}"):
                self.expect(kind, name, change, words)

    def test_references(self) -> None:
        container = self.container
        streaming, storage = "video-streaming", "video-storage"
        for kind, name, change, words in (
            ("Service", streaming, lambda d: d["spec"]["selector"].update(tier="x"), "no pod"),
            ("Service", streaming, lambda d: d["spec"]["ports"][0].update(targetPort="web"), "no port web"),
            ("PodDisruptionBudget", storage, lambda d: labels(d).update(tier="x"), "selects no pod"),
            ("Deployment", storage, lambda d: labels(d).update(tier="x"), "selects other labels"),
            ("Deployment", "video-metadata", lambda d: container(d)["ports"][0].update(containerPort=4001), "is told"),
            ("Deployment", "video-metadata", lambda d: value(d, "DBHOST_FILE", "/run/secrets/x"), "has the file"),
            ("Deployment", streaming, lambda d: value(d, "DRAIN_SECONDS", "30"), "may take 48 s to stop"),
            ("Deployment", storage, lambda d: container(d)["volumeMounts"].pop(), "has volumes"),
            ("Secret", storage, lambda d: d["stringData"].pop("dbhost"), "has no dbhost"),
            ("Secret", storage, lambda d: d["stringData"].update(rabbit="amqp://x:y@z/millrace"), "another user"),
            ("Secret", storage, lambda d: d["metadata"].update(name="x"), "no Secret video-storage"),
            ("Secret", "rabbit", lambda d: d["stringData"].update({DEFINITIONS: '{"vhosts": []}'}), "no virtual host"),
            ("RabbitmqCluster", "rabbit", lambda d: d["spec"].update(replicas=5), "names other nodes"),
            ("RabbitmqCluster", "rabbit", lambda d: d["metadata"].update(name="broker"), "no broker at"),
            ("RabbitmqCluster", "rabbit", lambda d: d["spec"]["rabbitmq"].update(additionalConfig=""), "not mounted"),
            ("ScaledObject", storage, lambda d: metadata(d, 0).update(queueName="millrace.x"), "a queue millrace.x"),
            ("ScaledObject", storage, lambda d: d["spec"]["scaleTargetRef"].update(name="x"), "no Deployment x"),
            ("NetworkPolicy", streaming, lambda d: d["spec"]["ingress"][0]["ports"][0].update(port=80), "at 80"),
            ("NetworkPolicy", streaming, lambda d: d["spec"]["policyTypes"].remove("Egress"), "leaves out"),
            ("NetworkPolicy", "workers", lambda d: expression(d).update(values=["x"]), "no pod"),
            ("Ingress", streaming, lambda d: backend(d)["port"].update(name="web"), "no port web"),
        ):
            with self.subTest(f"{kind}/{name}: {words}"):
                self.expect(kind, name, change, words)

    def test_security(self) -> None:
        inner = lambda document: self.container(document)["securityContext"]  # noqa: E731
        for change, words in (
            (lambda d: inner(d).pop("readOnlyRootFilesystem"), "root file system"),
            (lambda d: inner(d)["capabilities"].update(add=["NET_ADMIN"]), "keeps capabilities"),
            (lambda d: pod(d)["securityContext"].update(runAsNonRoot=False), "may run as root"),
            (lambda d: pod(d).pop("automountServiceAccountToken"), "token"),
            (lambda d: self.container(d)["resources"].pop("limits"), "no limit of memory"),
            (lambda d: pod(d).update(hostNetwork=True), "namespace of the node"),
        ):
            with self.subTest(words):
                self.expect("Deployment", "video-streaming", change, words)

    def test_what_no_kustomization_names(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            copied = Path(folder) / "base"
            shutil.copytree(BASE, copied)
            (copied / "forgotten.yaml").write_text("kind: ConfigMap\n")
            self.assertEqual(kustomization.unlisted(copied), ["forgotten.yaml"])

    def test_a_patch_that_fits_nothing_is_refused(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            copied = Path(folder) / "kubernetes"
            shutil.copytree(FOLDER, copied)
            patch = copied / "overlays" / "example" / "settings.yaml"
            patch.write_text(patch.read_text().replace("name: video-storage", "name: video-store", 1))
            with self.assertRaisesRegex(ValueError, "0 of Deployment/video-store"):
                kustomization.render(copied / "overlays" / "example")

    @staticmethod
    def container(deployment: dict) -> dict:
        return pod(deployment)["containers"][0]


def pod(deployment: dict) -> dict:
    return deployment["spec"]["template"]["spec"]


def labels(document: dict) -> dict:
    return document["spec"]["selector"]["matchLabels"]


def metadata(scaled: dict, trigger: int) -> dict:
    return scaled["spec"]["triggers"][trigger]["metadata"]


def expression(policy: dict) -> dict:
    return policy["spec"]["podSelector"]["matchExpressions"][0]


def backend(ingress: dict) -> dict:
    return ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]


def value(deployment: dict, name: str, text: str) -> None:
    for variable in pod(deployment)["containers"][0]["env"]:
        if variable["name"] == name:
            variable["value"] = text


if __name__ == "__main__":
    unittest.main()
