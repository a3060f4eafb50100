"""Has a real Prometheus read what running services tell, and ask all that ops/observe asks of it."""

from __future__ import annotations

import json
import shutil
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from . import network, processes
from .failure import Failure
from .layout import ROOT, Layout
from .processes import Process, start
from .progress import Progress, Step
from .servers import wait_until
from .state import State

ALERTS = ROOT / "ops" / "observe" / "alerts.yml"
DASHBOARD = ROOT / "ops" / "observe" / "grafana" / "dashboards" / "millrace.json"
# Quick, so that two readings of everything are there after a few seconds. The path is written as JSON, which is YAML.
CONFIGURATION = """global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{alerts}]
scrape_configs: [{jobs}]
"""
JOB = "{{job_name: {kind}, static_configs: [{{targets: ['{host}:{port}']}}]}}"
# Of each service, and of each layer that a viewer's request goes through: what has to be there after one was answered.
TOLD = (
    'up{job="video-streaming"} == 1',
    'up{job="video-metadata"} == 1',
    'up{job="video-storage"} == 1',
    'millrace_ready{job="video-streaming"} == 1',
    'millrace_gateway_requests_total{job="video-streaming"} > 0',
    'millrace_gateway_sent_bytes_total{job="video-streaming"} > 0',
    'millrace_rpc_client_calls_total{job="video-streaming"} > 0',
    'millrace_rpc_server_requests_total{job="video-metadata"} > 0',
    'millrace_rpc_server_requests_total{job="video-storage"} > 0',
    'millrace_mongo_operations_total{job="video-metadata"} > 0',
    'millrace_storage_provider_calls_total{job="video-storage"} > 0',
    'process_resident_memory_bytes{job="video-storage"} > 0',
)
LIMIT_SECONDS = 30.0


def check(services: list[Process], layout: Layout, state: State, progress: Progress) -> None:
    """Starts Prometheus over services that have answered a viewer, asks it, and stops it again."""
    folder = Path(tempfile.mkdtemp(prefix="prometheus-", dir=layout.directory))
    try:
        prometheus = state.add(_start(services, folder, layout))
        try:
            with progress.step("have Prometheus read the services") as step:
                wait_until(step, prometheus, lambda: _is_ready(prometheus))
                _await_told(prometheus, step)
                alerts = _check_alerts(prometheus, step)
                asked = _check_dashboard(prometheus)
                step.detail = f"{alerts} alerts and {asked} questions of the dashboard can be answered"
        finally:
            with progress.step("stop Prometheus") as step:
                processes.stop([prometheus], step.wait, lambda: progress.interrupts.hurry)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start(services: list[Process], folder: Path, layout: Layout) -> Process:
    port = network.free_ports(1)[0]
    jobs = ", ".join(JOB.format(kind=service.name, host=network.HOST, port=service.port) for service in services)
    configuration = folder / "prometheus.yml"
    configuration.write_text(CONFIGURATION.format(alerts=json.dumps(str(ALERTS)), jobs=jobs))
    command = [
        "prometheus", f"--config.file={configuration}", f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={network.HOST}:{port}",
    ]  # fmt: skip
    process = start("prometheus", command, {}, layout.log("prometheus"))
    process.port = port
    process.drain_seconds = 5.0
    return process


def _is_ready(prometheus: Process) -> bool:
    """It listens before it can be asked: until its storage is open, every question gets a 503."""
    try:
        with urllib.request.urlopen(f"http://{network.HOST}:{prometheus.port}/-/ready", timeout=10):
            return True
    except OSError:
        return False


def _ask(prometheus: Process, path: str, **parameters: str) -> dict:
    url = f"http://{network.HOST}:{prometheus.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]
    except urllib.error.HTTPError as refusal:
        raise Failure(f"Prometheus refuses {parameters}: {_reason(refusal)}", "mend ops/observe", prometheus.log_path) from refusal


def _reason(refusal: urllib.error.HTTPError) -> str:
    """What Prometheus says of a question is JSON; what its web server says is plain text."""
    text = refusal.read().decode(errors="replace").strip()
    try:
        return json.loads(text)["error"]
    except (ValueError, KeyError, TypeError):
        return f"{refusal.code} {text or refusal.reason}"


def _await_told(prometheus: Process, step: Step) -> None:
    missing = list(TOLD)

    def is_told() -> bool:
        missing[:] = [one for one in missing if not _ask(prometheus, "query", query=one)["result"]]
        return not missing

    _wait(step, is_told, lambda: Failure(f"Prometheus has not been told {missing[0]}", "see METRICS.md", prometheus.log_path))


def _check_alerts(prometheus: Process, step: Step) -> int:
    """Prometheus evaluates them itself; what cannot be evaluated has an error there."""
    rules: list[dict] = []

    def are_evaluated() -> bool:
        groups = _ask(prometheus, "rules")["groups"]
        rules[:] = [rule for group in groups for rule in group["rules"]]
        return bool(rules) and all(rule["health"] != "unknown" for rule in rules)

    _wait(step, are_evaluated, lambda: Failure("not all alerts were evaluated", "look at the log", prometheus.log_path))
    for rule in rules:
        if rule["health"] != "ok":
            raise Failure(f"the alert {rule['name']} fails: {rule.get('lastError')}", f"mend {ALERTS}", prometheus.log_path)
        # The services run and have served: whatever is urgent here is a fault of the alert, or of the service.
        if rule["state"] == "firing":
            raise Failure(f"the alert {rule['name']} fires where all is well", f"mend {ALERTS}", prometheus.log_path)
    return len(rules)


def _check_dashboard(prometheus: Process) -> int:
    expressions = list(_expressions(json.loads(DASHBOARD.read_text())))
    for expression in expressions:
        _ask(prometheus, "query", query=expression.replace("$__rate_interval", "5s").replace("$__interval", "5s"))
    return len(expressions)


def _expressions(node: object) -> Iterator[str]:
    """Every `expr`, wherever it stands."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name == "expr" and isinstance(value, str):
                yield value
            else:
                yield from _expressions(value)
    elif isinstance(node, list):
        for value in node:
            yield from _expressions(value)


def _wait(step: Step, condition: Callable[[], bool], failure: Callable[[], Failure]) -> None:
    waited = 0.0
    while not condition():
        if waited >= LIMIT_SECONDS:
            raise failure()
        step.wait(0.25)
        waited += 0.25
