"""Whether every pod keeps to Kubernetes' restricted profile, and to what we ask for beyond it."""

from __future__ import annotations

from .kustomization import Document

USER = 10001


def problems(deployment: Document) -> list[str]:
    """What a Deployment lacks."""
    pod = deployment["spec"]["template"]["spec"]
    context = pod.get("securityContext", {})
    wanted = [
        (context.get("runAsNonRoot") is True, "may run as root"),
        (context.get("runAsUser") == USER, f"does not run as {USER}, whom the images are made for"),
        (context.get("seccompProfile") == {"type": "RuntimeDefault"}, "has no seccomp profile"),
        (pod.get("automountServiceAccountToken") is False, "gets a token for Kubernetes' own API"),
        (not {"hostNetwork", "hostPID", "hostIPC"} & set(pod), "uses a namespace of the node"),
        (not [volume for volume in pod.get("volumes", []) if "hostPath" in volume], "mounts a path of the node"),
    ]
    for container in pod["containers"]:
        inner, resources = container.get("securityContext", {}), container.get("resources", {})
        wanted += [
            (inner.get("allowPrivilegeEscalation") is False, "may gain privileges"),
            (inner.get("readOnlyRootFilesystem") is True, "may write to its root file system"),
            (inner.get("capabilities") == {"drop": ["ALL"]}, "keeps capabilities"),
            (not inner.get("privileged"), "is privileged"),
            ({"cpu", "memory"} <= set(resources.get("requests", {})), "requests no cpu or memory"),
            ("memory" in resources.get("limits", {}), "has no limit of memory"),
            ({"startupProbe", "livenessProbe", "readinessProbe"} <= set(container), "lacks a probe"),
        ]
    return [f"Deployment/{deployment['metadata']['name']}: {problem}" for holds, problem in wanted if not holds]
