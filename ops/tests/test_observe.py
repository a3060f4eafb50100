"""What ops/observe holds: Prometheus' configuration, alerts and their tests, and Grafana's dashboard."""

import json
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

import yaml

from manifests import kustomization, metrics
from stack.layout import ROOT

FOLDER = ROOT / "ops" / "observe"
ALERTS, ALERTS_TEST = FOLDER / "alerts.yml", FOLDER / "alerts_test.yml"
DASHBOARD = FOLDER / "grafana" / "dashboards" / "millrace.json"
METRICS = ROOT / "Sources" / "ServiceKit" / "METRICS.md"
# What others have: Prometheus itself, and RabbitMQ (seen in 3.10).
QUEUE = {"vhost", "queue"}
OTHERS = {
    "up": set(),
    "ALERTS": {"alertstate", "alertname", "severity"},
    "rabbitmq_alarms_memory_used_watermark": set(),
    "rabbitmq_alarms_free_disk_space_watermark": set(),
    "rabbitmq_detailed_queue_messages": QUEUE,
    "rabbitmq_detailed_queue_messages_ready": QUEUE,
    "rabbitmq_detailed_queue_consumers": QUEUE,
}


def promtool(*arguments: str) -> None:
    finished = subprocess.run(["promtool", *arguments], capture_output=True, text=True, cwd=FOLDER)
    if finished.returncode != 0:
        raise AssertionError(f"promtool {' '.join(arguments)}:\n{finished.stdout}{finished.stderr}")


def rules() -> list[dict]:
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def dashboard() -> dict:
    return json.loads(DASHBOARD.read_text())


def of_dashboard() -> dict[str, str]:
    """The expressions by title and letter."""
    found = {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in dashboard()["panels"]
        for target in panel.get("targets", [])
    }
    return found | {one["name"]: one["expr"] for one in dashboard()["annotations"]["list"]}


class AlertTests(unittest.TestCase):
    def test_configuration_and_rules_are_valid(self) -> None:
        promtool("check", "config", "prometheus.yml")
        promtool("check", "rules", "--lint-fatal", "alerts.yml")

    def test_alerts_fire_when_they_should_and_only_then(self) -> None:
        promtool("test", "rules", "alerts_test.yml")

    def test_every_alert_is_seen_to_fire_by_its_test(self) -> None:
        expected = set(re.findall(r"labels: '\{alertname=\"(\w+)\"", ALERTS_TEST.read_text()))
        self.assertEqual({rule["alert"] for rule in rules()}, expected)

    def test_every_alert_says_how_grave_it_is_and_what_to_do(self) -> None:
        for rule in rules():
            self.assertIn(rule["labels"]["severity"], ("page", "ticket", "info"), rule["alert"])
            self.assertEqual(set(rule["annotations"]), {"summary", "action"}, rule["alert"])


    def test_prometheus_looks_where_the_compose_file_has_them(self) -> None:
        services = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())["services"]
        for job in yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"]:
            for found in job.get("dns_sd_configs", []):
                for name in found["names"]:
                    self.assertIn(name, services)
                    port = services[name].get("environment", {}).get("METRICS_PORT")
                    self.assertIn(str(found["port"]), {port} if port else {"4000", "15692"}, name)


class NameTests(unittest.TestCase):
    def test_every_metric_that_is_asked_for_is_one_that_there_is(self) -> None:
        known = metrics.documented(METRICS) | OTHERS
        asked = of_dashboard() | {rule["alert"]: rule["expr"] for rule in rules()}
        for document in kustomization.render(ROOT / "ops" / "kubernetes" / "base"):
            for trigger in document["spec"].get("triggers", []) if document["kind"] == "ScaledObject" else []:
                if trigger["type"] == "prometheus":
                    asked[document["metadata"]["name"]] = trigger["metadata"]["query"]
        self.assertGreater(len(asked), 60)
        for name, expression in asked.items():
            self.assertEqual(metrics.problems(expression, known), [], f"{name}: {expression}")

    def test_names_and_labels_that_are_not_there_are_found(self) -> None:
        known = {"a_total": {"x"}, "h_bucket": {"y"}}
        for expression, words in (
            ('sum by (x) (rate(a_total{x="b_total"}[5m])) > 0.5', []),
            ("histogram_quantile(0.9, sum by (le, y) (rate(h_bucket[$__rate_interval])))", []),
            ("rate(b_total[5m]) or vector(0)", ["no metric b_total"]),
            ('rate(a_total{z=~"1"}[5m])', ["a_total has no label z"]),
            ("sum by (z) (rate(a_total[5m])) unless a_total offset 10m", ["no metric here has a label z"]),
        ):
            self.assertEqual(metrics.problems(expression, known), words, expression)


class DashboardTests(unittest.TestCase):
    def test_every_expression_is_one(self) -> None:
        made = [
            {"record": f"dashboard:{number}", "expr": expression.replace("$__rate_interval", "1m")}
            for number, expression in enumerate(of_dashboard().values())
        ]
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            yaml.safe_dump({"groups": [{"name": "dashboard", "rules": made}]}, file)
            file.flush()
            promtool("check", "rules", file.name)

    def test_panels_do_not_overlap_and_ask_the_source_that_is_provided(self) -> None:
        sources = yaml.safe_load((FOLDER / "grafana" / "provisioning" / "datasources" / "prometheus.yml").read_text())
        taken: dict[tuple[int, int], str] = {}
        for panel in dashboard()["panels"]:
            place = panel["gridPos"]
            for cell in ((x, y) for x in range(place["w"]) for y in range(place["h"])):
                at = (place["x"] + cell[0], place["y"] + cell[1])
                self.assertNotIn(at, taken, panel["title"])
                self.assertLess(at[0], 24, panel["title"])
                taken[at] = panel["title"]
            for target in panel.get("targets", []):
                self.assertEqual(target["datasource"]["uid"], sources["datasources"][0]["uid"], panel["title"])


if __name__ == "__main__":
    unittest.main()
