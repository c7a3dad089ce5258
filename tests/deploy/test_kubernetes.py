"""deploy/kubernetes: the schemas of Kubernetes, and agreement with the settings, routes and metrics of the code."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import kubernetes_validate
import pytest
import yaml

from fullon_graphql.config import Settings
from fullon_graphql.observability.metrics import Metrics
from tests.deploy.files import DEPLOY, SECRET_VARIABLES, documents, unknown_variables

FOLDER = DEPLOY / "kubernetes"
VERSION = "1.34"
[KUSTOMIZATION] = documents(FOLDER / "kustomization.yaml")
OBJECTS = [document for name in KUSTOMIZATION["resources"] for document in documents(FOLDER / name)]
DEPLOYMENTS = [each for each in OBJECTS if each["kind"] == "Deployment"]
PROBES = {"startupProbe": "/health/ready", "readinessProbe": "/health/live", "livenessProbe": "/health/live"}
"""Only a new pod waits for all stores: one that is down later must not take every pod out."""


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [each for each in OBJECTS if each["kind"] == kind]


def deployment(component: str) -> dict[str, Any]:
    [found] = [each for each in DEPLOYMENTS if each["metadata"]["labels"]["app.kubernetes.io/component"] == component]
    return found


def containers() -> Iterator[dict[str, Any]]:
    for each in DEPLOYMENTS:
        pod = each["spec"]["template"]["spec"]
        yield from pod.get("initContainers", [])
        yield from pod["containers"]


def variables() -> dict[str, str]:
    [generator] = KUSTOMIZATION["configMapGenerator"]
    return dict(literal.split("=", 1) for literal in generator["literals"])


def test_every_file_is_a_resource() -> None:
    files = {path.name for path in FOLDER.iterdir()} - {"kustomization.yaml"}
    assert files == set(KUSTOMIZATION["resources"])


@pytest.mark.parametrize("kind", sorted({each["kind"] for each in OBJECTS}))
def test_objects_have_the_schema_of_kubernetes(kind: str) -> None:
    for each in of_kind(kind):
        kubernetes_validate.validate(each, VERSION, strict=True)


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_kustomize_renders_valid_objects_with_references_to_each_other() -> None:
    rendered = subprocess.run(["kubectl", "kustomize", str(FOLDER)], capture_output=True, text=True, check=True).stdout
    found = list(yaml.safe_load_all(rendered))
    for each in found:
        kubernetes_validate.validate(each, VERSION, strict=True)
    names = {(each["kind"], each["metadata"]["name"]) for each in found}
    for each in found:
        assert each["metadata"]["namespace"] == "fullon"
        if each["kind"] == "Deployment":
            for container in each["spec"]["template"]["spec"]["containers"]:
                assert container["image"] == "fullon-graphql:0.1.0"
                reference = container["envFrom"][0]["configMapRef"]["name"]
                assert ("ConfigMap", reference) in names


def test_variables_are_settings_with_valid_values() -> None:
    given = variables()
    assert unknown_variables(given) == set()
    assert not SECRET_VARIABLES & given.keys()
    fields = {name.lower(): value for name, value in given.items() if name.lower() in Settings.model_fields}
    Settings.model_validate(fields)
    assert (
        "secret.env has DATABASE_URL, OHLCV_DATABASE_URL, REDIS_URL and JWT_SECRET_KEY"
        in (FOLDER / "kustomization.yaml").read_text()
    )
    for container in containers():
        assert container["envFrom"] == [
            {"configMapRef": {"name": "fullon-graphql"}}, {"secretRef": {"name": "fullon-graphql"}}
        ]  # fmt: skip
        assert "env" not in container


def test_containers_cannot_write_or_gain_privileges() -> None:
    for container in containers():
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}
        }  # fmt: skip
        assert container["resources"]["limits"]["memory"]
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
    for each in DEPLOYMENTS:
        pod = each["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["runAsUser"] == 10001  # the Dockerfile's
        assert pod["automountServiceAccountToken"] is False


def test_no_pod_is_missing_during_a_rollout() -> None:
    assert deployment("server")["spec"]["replicas"] == 3
    for each in DEPLOYMENTS:
        assert each["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


def test_pods_have_time_to_drain() -> None:
    given = variables()
    drain = float(given["DRAIN_SECONDS"]) + float(given["SHUTDOWN_TIMEOUT"])
    pod = deployment("server")["spec"]["template"]["spec"]
    [container] = pod["containers"]
    program, pause = container["lifecycle"]["preStop"]["exec"]["command"]
    assert program == "sleep"
    assert pod["terminationGracePeriodSeconds"] >= float(pause) + drain + 10
    readiness = container["readinessProbe"]
    services = deployment("services")["spec"]["template"]["spec"]
    assert services["terminationGracePeriodSeconds"] > float(given["SHUTDOWN_TIMEOUT"]) + 10
    assert readiness["periodSeconds"] * readiness["failureThreshold"] <= float(pause)


def test_probes_and_ports_are_those_of_the_server() -> None:
    [container] = deployment("server")["spec"]["template"]["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"http": Settings().port, "metrics": int(variables()["METRICS_PORT"])}
    for name, path in PROBES.items():
        assert container[name]["httpGet"] == {"path": path, "port": "http"}
    [service] = of_kind("Service")
    assert {port["targetPort"] for port in service["spec"]["ports"]} == ports.keys()
    allowed = {
        port["port"]
        for policy in of_kind("NetworkPolicy")
        for rule in policy["spec"].get("ingress", [])
        for port in rule["ports"]
    }
    assert allowed == set(ports.values())


def test_selectors_match_the_pods_of_one_deployment() -> None:
    pods = [each["spec"]["template"]["metadata"]["labels"] for each in DEPLOYMENTS]

    def matches(selector: dict[str, str]) -> int:
        return sum(selector.items() <= labels.items() for labels in pods)

    assert [matches(each["spec"]["selector"]["matchLabels"]) for each in DEPLOYMENTS] == [1, 1]
    assert [matches(each["spec"]["selector"]["matchLabels"]) for each in of_kind("PodDisruptionBudget")] == [1, 1]
    assert [matches(each["spec"]["selector"]) for each in of_kind("Service")] == [1]
    assert [matches(each["spec"]["podSelector"]["matchLabels"]) for each in of_kind("NetworkPolicy")] == [2, 1]


def test_autoscaler_uses_processor_time_and_a_metric_of_the_server() -> None:
    [autoscaler] = of_kind("HorizontalPodAutoscaler")
    spec = autoscaler["spec"]
    assert spec["scaleTargetRef"]["name"] == deployment("server")["metadata"]["name"]
    assert spec["minReplicas"] >= deployment("server")["spec"]["replicas"]
    [cpu, sockets] = spec["metrics"]
    assert cpu["resource"]["name"] == "cpu"
    assert f"\n{sockets['pods']['metric']['name']} " in Metrics().text().decode()
    assert int(sockets["pods"]["target"]["averageValue"]) < Settings().socket_limit
