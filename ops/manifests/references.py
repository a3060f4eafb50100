"""Whether what manifests name is there: pods behind selectors, ports, volumes, secrets and their keys, queues, nodes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from .kustomization import Document

# What RabbitMQ's operator gives the pods of a RabbitmqCluster, and the ports that they listen at.
BROKER_LABELS = {"app.kubernetes.io/component": "rabbitmq", "app.kubernetes.io/part-of": "rabbitmq"}
BROKER_PORTS = {4369, 5672, 15672, 15692, 25672, 35672}
# The file of users, rights and virtual hosts that the broker loads.
DEFINITIONS = "definitions.json"
# Who has a certificate made, and with it the Secret.
CERTIFICATE_ANNOTATION = "cert-manager.io/cluster-issuer"


class References:
    """The checks of one set of manifests, as kustomize would apply them, and of the secrets that go with them."""

    def __init__(self, documents: list[Document], queues: set[str]):
        self._queues = queues
        self._by_kind: dict[str, dict[str, Document]] = {}
        self._found: list[str] = []
        for document in documents:
            of_kind = self._by_kind.setdefault(document["kind"], {})
            name = document["metadata"]["name"]
            self._expect(name not in of_kind, document, "is there twice")
            of_kind[name] = document

    def problems(self) -> list[str]:
        for deployment in self._all("Deployment"):
            self._check_deployment(deployment)
        for service in self._all("Service"):
            self._check_service(service)
        for ingress in self._all("Ingress"):
            self._check_ingress(ingress)
        for budget in self._all("PodDisruptionBudget"):
            self._expect_pods(budget, budget["spec"]["selector"])
        for policy in self._all("NetworkPolicy"):
            self._check_policy(policy)
        for scaled in self._all("ScaledObject"):
            self._check_scaled(scaled)
        for authentication in self._all("TriggerAuthentication"):
            for wanted in authentication["spec"]["secretTargetRef"]:
                self._expect_key(authentication, wanted["name"], wanted["key"])
        for cluster in self._all("RabbitmqCluster"):
            self._check_cluster(cluster)
        for secret in self._all("Secret"):
            if "rabbit" in secret["stringData"]:
                self._check_address(secret, secret["stringData"]["rabbit"])
        return self._found

    # Pods

    def _check_deployment(self, deployment: Document) -> None:
        spec, template = deployment["spec"], deployment["spec"]["template"]
        pod, labels = template["spec"], template["metadata"]["labels"]
        self._expect(_selects(spec["selector"], labels), deployment, "selects other labels than its pods have")
        self._expect("replicas" not in spec, deployment, "says replicas, which its ScaledObject decides")
        self._expect_named(deployment, "ServiceAccount", pod["serviceAccountName"])
        for spread in pod["topologySpreadConstraints"]:
            self._expect(_selects(spread["labelSelector"], labels), deployment, "spreads other pods than its own")
        volumes = {volume["name"]: volume for volume in pod.get("volumes", [])}
        mounted: set[str] = set()
        for container in pod["containers"]:
            files = self._mounted_files(deployment, container, volumes)
            mounted |= {mount["name"] for mount in container.get("volumeMounts", [])}
            self._check_container(deployment, container, files)
        self._expect(mounted == set(volumes), deployment, f"mounts {mounted}, and has volumes {set(volumes)}")

    def _mounted_files(self, deployment: Document, container: dict, volumes: dict[str, dict]) -> set[str]:
        """Paths of the files that come from secrets."""
        files = set()
        for mount in container.get("volumeMounts", []):
            volume = volumes.get(mount["name"], {})
            if "persistentVolumeClaim" in volume:
                claim = volume["persistentVolumeClaim"]["claimName"]
                self._expect_named(deployment, "PersistentVolumeClaim", claim)
            for item in volume.get("secret", {}).get("items", []):
                self._expect_key(deployment, volume["secret"]["secretName"], item["key"])
                files.add(f"{mount['mountPath']}/{item['path']}")
        return files

    def _check_container(self, deployment: Document, container: dict, files: set[str]) -> None:
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        values = {variable["name"]: variable["value"] for variable in container["env"]}
        given = {"http": values.get("PORT"), "metrics": values.get("METRICS_PORT")}
        for name, number in ports.items():
            self._expect(given.get(name) == str(number), deployment, f"port {name} is not what the process is told")
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            self._expect(container[probe]["httpGet"]["port"] in ports, deployment, f"{probe}: no such port")
        annotations = deployment["spec"]["template"]["metadata"]["annotations"]
        scraped = ports.get("metrics", ports["http"])
        self._expect(annotations.get("prometheus.io/port") == str(scraped), deployment, "scraped at another port")
        for name, value in values.items():
            if name.endswith("_FILE"):
                self._expect(value in files, deployment, f"{name}: no mounted secret has the file {value}")
        grace = deployment["spec"]["template"]["spec"].get("terminationGracePeriodSeconds", 30)
        needed = sum(int(values[name]) for name in ("DRAIN_SECONDS", "STOP_SECONDS"))
        self._expect(grace > needed, deployment, f"is killed after {grace} s, but may take {needed} s to stop")

    # What stands before them

    def _check_service(self, service: Document) -> None:
        pods = self._expect_pods(service, {"matchLabels": service["spec"]["selector"]})
        for port in service["spec"]["ports"]:
            self._expect(
                all(port["targetPort"] in names for _, names in pods), service, f"no port {port['targetPort']}"
            )

    def _check_ingress(self, ingress: Document) -> None:
        has_certificate = CERTIFICATE_ANNOTATION in ingress["metadata"].get("annotations", {})
        for tls in () if has_certificate else ingress["spec"].get("tls", []):
            self._expect_key(ingress, tls["secretName"], "tls.crt")
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                wanted = path["backend"]["service"]
                service = self._expect_named(ingress, "Service", wanted["name"])
                names = {port["name"] for port in service["spec"]["ports"]} if service else set()
                self._expect(wanted["port"]["name"] in names, ingress, f"no port {wanted['port']['name']}")

    def _check_policy(self, policy: Document) -> None:
        spec = policy["spec"]
        pods = self._expect_pods(policy, spec["podSelector"])
        for direction, side in (("ingress", "from"), ("egress", "to")):
            self._expect(
                direction not in spec or direction.capitalize() in spec["policyTypes"],
                policy,
                f"has rules for {direction}, which policyTypes leaves out",
            )
            for rule in spec.get(direction, []):
                peers = list(rule.get(side, []))
                within = [peer for peer in peers if set(peer) == {"podSelector"}]
                reached = [pod for peer in within for pod in self._expect_pods(policy, peer["podSelector"])]
                receivers = pods if direction == "ingress" else reached
                if direction == "ingress" or within:
                    self._check_ports(policy, rule, receivers)

    def _check_ports(self, policy: Document, rule: dict, receivers: list[tuple[dict, set]]) -> None:
        for port in rule.get("ports", []):
            self._expect(
                any(port["port"] in ports for _, ports in receivers), policy, f"nobody listens at {port['port']}"
            )

    # Scaling

    def _check_scaled(self, scaled: Document) -> None:
        spec = scaled["spec"]
        target = self._expect_named(scaled, "Deployment", spec["scaleTargetRef"]["name"])
        self._expect(spec["minReplicaCount"] <= spec["maxReplicaCount"], scaled, "has a minimum over its maximum")
        if "fallback" in spec:
            within = spec["minReplicaCount"] <= spec["fallback"]["replicas"] <= spec["maxReplicaCount"]
            self._expect(within, scaled, "falls back to a number that it may not have")
        names = [trigger["name"] for trigger in spec["triggers"] if "name" in trigger]
        self._expect(len(names) == len(set(names)), scaled, "has two triggers of one name")
        for trigger in spec["triggers"]:
            if trigger["type"] == "cpu" and target:
                for container in target["spec"]["template"]["spec"]["containers"]:
                    self._expect("cpu" in container["resources"]["requests"], scaled, "needs a request of cpu")
            if trigger["type"] == "rabbitmq":
                self._check_queue_trigger(scaled, trigger)

    def _check_queue_trigger(self, scaled: Document, trigger: dict) -> None:
        self._expect_named(scaled, "TriggerAuthentication", trigger["authenticationRef"]["name"])
        wanted = trigger["metadata"]
        self._expect(wanted["queueName"] in self._queues, scaled, f"no service has a queue {wanted['queueName']}")
        self._expect_virtual_host(scaled, wanted["vhostName"])
        host = urlsplit(wanted["host"])
        clusters = self._by_kind.get("RabbitmqCluster", {})
        self._expect((host.hostname or "").split(".")[0] in clusters, scaled, f"no broker at {wanted['host']}")
        self._expect(host.port == 15672, scaled, "does not ask the management API")

    # The broker

    def _check_cluster(self, cluster: Document) -> None:
        """The definitions that a node loads when it starts are mounted where its configuration says."""
        pod = cluster["spec"]["override"]["statefulSet"]["spec"]["template"]["spec"]
        volumes = {volume["name"]: volume["secret"]["secretName"] for volume in pod["volumes"]}
        files = set()
        for mount in pod["containers"][0]["volumeMounts"]:
            self._expect(mount["name"] in volumes, cluster, f"mounts {mount['name']}, which is no volume")
            secret = volumes.get(mount["name"], "")
            self._expect_key(cluster, secret, DEFINITIONS)
            files.add(f"{mount['mountPath']}/{DEFINITIONS}")
        wanted = re.search(r"^load_definitions = (.+)$", cluster["spec"]["rabbitmq"]["additionalConfig"], re.MULTILINE)
        self._expect(wanted is not None and wanted[1] in files, cluster, "loads definitions that are not mounted")

    def _check_address(self, secret: Document, address: str) -> None:
        """A service has to be told all nodes, and to be a user of theirs."""
        # Several hosts, which no parser of addresses knows.
        fitting = re.fullmatch(r"amqps?://([^:]+):[^@]+@([^/]+)/(.+)", address)
        self._expect(fitting is not None, secret, "has no address of a broker")
        if fitting is None:
            return
        user, hosts, virtual_host = fitting.groups()
        self._expect(user == secret["metadata"]["name"], secret, "has the address of another user")
        self._expect_virtual_host(secret, virtual_host)
        nodes = {
            f"{name}-server-{number}.{name}-nodes:5672"
            for name, cluster in self._by_kind.get("RabbitmqCluster", {}).items()
            for number in range(cluster["spec"]["replicas"])
        }
        self._expect(set(hosts.split(",")) == nodes, secret, f"names other nodes than {sorted(nodes)}")

    # Looking things up

    def _all(self, kind: str) -> Iterator[Document]:
        yield from self._by_kind.get(kind, {}).values()

    def _expect(self, holds: bool, document: Document, problem: str) -> None:
        if not holds:
            self._found.append(f"{document['kind']}/{document['metadata']['name']}: {problem}")

    def _expect_named(self, user: Document, kind: str, name: str) -> Document | None:
        found = self._by_kind.get(kind, {}).get(name)
        self._expect(found is not None, user, f"there is no {kind} {name}")
        return found

    def _expect_virtual_host(self, user: Document, name: str) -> None:
        """Virtual hosts are in the definitions, which come with the secrets."""
        for secret in self._all("Secret"):
            if DEFINITIONS in secret["stringData"]:
                there = {one["name"] for one in json.loads(secret["stringData"][DEFINITIONS])["vhosts"]}
                self._expect(name in there, user, f"there is no virtual host {name}")

    def _expect_key(self, user: Document, name: str, key: str) -> None:
        secret = self._expect_named(user, "Secret", name)
        if secret is not None:
            self._expect(key in secret["stringData"], user, f"Secret {name} has no {key}")

    def _expect_pods(self, user: Document, selector: dict) -> list[tuple[dict, set]]:
        """Labels and ports (names and numbers) of the pods that a selector fits; none is a problem."""
        pods = [pod for pod in self._pods() if _selects(selector, pod[0])]
        self._expect(bool(pods), user, f"selects no pod: {selector}")
        return pods

    def _pods(self) -> Iterator[tuple[dict, set]]:
        for deployment in self._all("Deployment"):
            template = deployment["spec"]["template"]
            ports = [port for container in template["spec"]["containers"] for port in container["ports"]]
            yield template["metadata"]["labels"], {p["name"] for p in ports} | {p["containerPort"] for p in ports}
        for name in self._by_kind.get("RabbitmqCluster", {}):
            yield BROKER_LABELS | {"app.kubernetes.io/name": name}, BROKER_PORTS


def _selects(selector: dict, labels: dict) -> bool:
    for wanted in selector.get("matchExpressions", []):
        if wanted["operator"] != "In":
            raise ValueError(f"{wanted['operator']} is not understood here")
        if labels.get(wanted["key"]) not in wanted["values"]:
            return False
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
