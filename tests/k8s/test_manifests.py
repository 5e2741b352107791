"""The manifests are valid, hang together, and keep every pod within its bounds."""

from __future__ import annotations

from typing import Any

import kubernetes_validate
import pytest

Manifest = dict[str, Any]
OPERATOR = "monitoring.coreos.com"


def named(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    [found] = [m for m in manifests if m["kind"] == kind and m["metadata"]["name"] == name]
    return found


def pods(programs: dict[str, Manifest], training_job: Manifest) -> dict[str, Manifest]:
    found = {name: deployment["spec"]["template"] for name, deployment in programs.items()}
    return found | {"training": training_job["spec"]["template"]}


def restricted_violations(pod: Manifest) -> list[str]:
    """What Pod Security `restricted` would refuse, and what Perennial asks beyond it."""
    spec, found = pod["spec"], []
    security = spec.get("securityContext", {})
    if security.get("runAsNonRoot") is not True or security.get("runAsUser") != 10001:
        found.append("the pod may run as root")
    if security.get("seccompProfile") != {"type": "RuntimeDefault"}:
        found.append("no seccomp profile")
    found += [field for field in ("hostNetwork", "hostPID", "hostIPC") if spec.get(field)]
    for volume in spec.get("volumes", []):
        kinds = set(volume) - {"name"}
        if not kinds <= {"configMap", "emptyDir", "persistentVolumeClaim", "projected", "secret", "downwardAPI"}:
            found.append(f"volume {volume['name']} is of kind {kinds}")
        if "emptyDir" in volume and "sizeLimit" not in (volume["emptyDir"] or {}):
            found.append(f"volume {volume['name']} may fill the node's disk")
    for container in spec["containers"] + spec.get("initContainers", []):
        own = container.get("securityContext", {})
        if own.get("allowPrivilegeEscalation") is not False or own.get("privileged"):
            found.append("privilege escalation")
        if own.get("capabilities") != {"drop": ["ALL"]}:
            found.append("capabilities")
        if own.get("readOnlyRootFilesystem") is not True:
            found.append("writable root")
        if own.get("runAsUser", 10001) == 0 or own.get("runAsNonRoot") is False:
            found.append("the container runs as root")
        resources = container.get("resources", {})
        for part in ("requests", "limits"):
            missing = {"cpu", "memory", "ephemeral-storage"} - set(resources.get(part, {}))
            found += [f"no {part} for {name}" for name in sorted(missing)]
        found += [f"port {p['containerPort']} on the host" for p in container.get("ports", []) if "hostPort" in p]
        if not any(mount["name"] == "tmp" for mount in container.get("volumeMounts", [])):
            found.append("nowhere to write temporary files")
    return found


def test_core_kinds_are_valid_for_the_api_server(manifests: list[Manifest], training_job: Manifest) -> None:
    core = [m for m in manifests if OPERATOR not in m["apiVersion"]]
    assert len(core) >= 15
    for manifest in [*core, training_job]:
        kubernetes_validate.validate(manifest, "1.32", strict=True)


def test_strict_validation_sees_an_unknown_field(training_job: Manifest) -> None:
    training_job["spec"]["backofLimit"] = 2
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(training_job, "1.32", strict=True)


def test_base_and_local_need_no_operator(rendered: Any) -> None:
    assert not [m["kind"] for folder in ("base", "overlays/local") for m in rendered(folder) if OPERATOR in str(m)]


def test_the_namespace_enforces_restricted(manifests: list[Manifest]) -> None:
    labels = named(manifests, "Namespace", "perennial")["metadata"]["labels"]
    assert {labels[f"pod-security.kubernetes.io/{mode}"] for mode in ("enforce", "audit", "warn")} == {"restricted"}
    spread = {m["metadata"].get("namespace") for m in manifests if m["kind"] != "Namespace"}
    assert spread == {"perennial"}


def test_every_pod_keeps_to_restricted(programs: dict[str, Manifest], training_job: Manifest) -> None:
    for name, pod in pods(programs, training_job).items():
        assert restricted_violations(pod) == [], name


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("securityContext", "runAsNonRoot"), False),
        (("securityContext", "seccompProfile"), None),
        (("hostNetwork",), True),
        (("volumes", 0), {"name": "host", "hostPath": {"path": "/"}}),
        (("containers", 0, "securityContext", "readOnlyRootFilesystem"), False),
        (("containers", 0, "securityContext", "capabilities"), {"drop": ["ALL"], "add": ["NET_ADMIN"]}),
        (("containers", 0, "securityContext", "allowPrivilegeEscalation"), True),
        (("containers", 0, "resources", "limits"), {"cpu": 1}),
    ],
)
def test_a_looser_pod_would_be_seen(training_job: Manifest, path: tuple[str | int, ...], value: object) -> None:
    pod = training_job["spec"]["template"]
    place = pod["spec"]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert restricted_violations(pod)


def test_only_the_controller_has_a_token(programs: dict[str, Manifest], training_job: Manifest) -> None:
    tokens = {
        name: (pod["spec"].get("automountServiceAccountToken"), pod["spec"].get("serviceAccountName"))
        for name, pod in pods(programs, training_job).items()
    }
    assert tokens.pop("controller") == (True, "perennial-controller")
    assert set(tokens.values()) == {(False, None)}


def test_the_controller_may_start_and_see_jobs_and_nothing_else(manifests: list[Manifest]) -> None:
    rights = [m for m in manifests if m["apiVersion"].startswith("rbac.authorization.k8s.io/")]
    assert sorted(m["kind"] for m in rights) == ["Role", "RoleBinding"]
    role = named(manifests, "Role", "perennial-controller")
    assert role["rules"] == [{"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create", "get"]}]
    binding = named(manifests, "RoleBinding", "perennial-controller")
    assert binding["roleRef"]["name"] == "perennial-controller"
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "perennial-controller", "namespace": "perennial"}]


def test_every_program_is_probed_on_its_named_port(programs: dict[str, Manifest]) -> None:
    for name, deployment in programs.items():
        [container] = deployment["spec"]["template"]["spec"]["containers"]
        ports = {port["name"] for port in container["ports"]}
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert container[probe]["httpGet"]["port"] in ports, (name, probe)


def test_no_variable_of_a_service_link_can_pass_for_a_setting(
    programs: dict[str, Manifest], training_job: Manifest
) -> None:
    # A Service named perennial-controller would set PERENNIAL_CONTROLLER_PORT=tcp://..., which is a setting's name.
    assert all(pod["spec"].get("enableServiceLinks") is False for pod in pods(programs, training_job).values())


def test_images_are_named_with_a_tag(programs: dict[str, Manifest], training_job: Manifest) -> None:
    for name, pod in pods(programs, training_job).items():
        [container] = pod["spec"]["containers"]
        image, _, tag = container["image"].rpartition(":")
        assert image.rpartition("/")[2] == f"perennial-{name}"
        assert tag not in ("", "latest")


def test_one_place_sets_every_image(rendered: Any, manifests: list[Manifest]) -> None:
    images = str(manifests).count("registry.example.com/perennial-")
    in_production = manifests == rendered("overlays/production")
    assert images == (4 if in_production else 0)


def test_selectors_find_their_pods(manifests: list[Manifest], programs: dict[str, Manifest]) -> None:
    for deployment in programs.values():
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
        for spread in deployment["spec"]["template"]["spec"].get("topologySpreadConstraints", []):
            assert spread["labelSelector"]["matchLabels"].items() <= labels.items()
    for service in (m for m in manifests if m["kind"] == "Service"):
        deployment = named(manifests, "Deployment", service["metadata"]["name"])
        template = deployment["spec"]["template"]
        assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
        [container] = template["spec"]["containers"]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        assert [ports[p["targetPort"]] for p in service["spec"]["ports"]] == [
            p["port"] for p in service["spec"]["ports"]
        ]


def test_scaling_and_disruption_concern_the_service(manifests: list[Manifest]) -> None:
    scaler = named(manifests, "HorizontalPodAutoscaler", "perennial-service")["spec"]
    target = scaler["scaleTargetRef"]
    deployment = named(manifests, target["kind"], target["name"])
    assert deployment["apiVersion"] == target["apiVersion"]
    # The two would fight over it.
    assert "replicas" not in deployment["spec"]
    # Utilization is relative to the request, so without one the autoscaler does nothing.
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    assert "cpu" in container["resources"]["requests"]
    budget = named(manifests, "PodDisruptionBudget", "perennial-service")["spec"]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert budget["selector"]["matchLabels"].items() <= labels.items()
    assert budget["maxUnavailable"] == 1


def test_one_monitor_and_one_controller_even_while_they_are_replaced(programs: dict[str, Manifest]) -> None:
    for name in ("monitor", "controller"):
        assert programs[name]["spec"]["replicas"] == 1
        assert programs[name]["spec"]["strategy"] == {"type": "Recreate"}


def test_the_service_has_time_to_drain(programs: dict[str, Manifest]) -> None:
    pod = programs["service"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    # Longer than the endpoint's removal takes, and no more than a part of the whole grace.
    assert 5 <= pause <= pod["terminationGracePeriodSeconds"] / 2


def test_everyone_shares_one_home(
    manifests: list[Manifest], programs: dict[str, Manifest], training_job: Manifest
) -> None:
    for pod in pods(programs, training_job).values():
        claims = [
            v["persistentVolumeClaim"]["claimName"] for v in pod["spec"]["volumes"] if "persistentVolumeClaim" in v
        ]
        assert claims == ["perennial-home"]
        [container] = pod["spec"]["containers"]
        home = {variable["name"]: variable.get("value") for variable in container["env"]}["PERENNIAL_HOME"]
        assert home in {mount["mountPath"] for mount in container["volumeMounts"] if mount["name"] == "home"}
    assert named(manifests, "PersistentVolumeClaim", "perennial-home")


def test_no_traffic_but_what_is_named(manifests: list[Manifest], programs: dict[str, Manifest]) -> None:
    policies = {m["metadata"]["name"]: m["spec"] for m in manifests if m["kind"] == "NetworkPolicy"}
    assert policies.pop("perennial-deny-all") == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for name, deployment in programs.items():
        policy = policies[f"perennial-{name}"]
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert policy["podSelector"]["matchLabels"].items() <= labels.items()
        [container] = deployment["spec"]["template"]["spec"]["containers"]
        allowed = {port["port"] for rule in policy["ingress"] for port in rule["ports"]}
        assert allowed == {port["containerPort"] for port in container["ports"]}
    assert not any(policy.get("egress") for name, policy in policies.items() if name == "perennial-service")


def test_prometheus_scrapes_every_program_at_a_port_that_it_may_reach(rendered: Any) -> None:
    production = rendered("overlays/production")
    scraped = {}
    for monitor in (m for m in production if m["kind"] == "PodMonitor"):
        selector = monitor["spec"]["selector"]
        names = [selector.get("matchLabels", {}).get("app.kubernetes.io/name")]
        names += [value for one in selector.get("matchExpressions", []) for value in one["values"]]
        [endpoint] = monitor["spec"]["podMetricsEndpoints"]
        scraped |= {name: endpoint["port"] for name in names if name}
    deployments = {m["metadata"]["name"]: m for m in production if m["kind"] == "Deployment"}
    assert set(scraped) == set(deployments)
    for name, deployment in deployments.items():
        [container] = deployment["spec"]["template"]["spec"]["containers"]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        rules = named(production, "NetworkPolicy", name)["spec"]["ingress"]
        [rule] = [rule for rule in rules if ports[scraped[name]] in {port["port"] for port in rule["ports"]}]
        labels = {"kubernetes.io/metadata.name": "monitoring"}
        assert rule["from"] == [{"namespaceSelector": {"matchLabels": labels}}], name
