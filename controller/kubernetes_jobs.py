"""Training jobs as Kubernetes Jobs. The home is the same volume in the job's pod as in the controller's."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import yaml
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from contracts.errors import SettingsError
from contracts.home import Home
from controller.jobs import JobNotStartedError
from controller.settings import ControllerSettings

REQUEST_LABEL = "perennial/request"
TASK_LABEL = "perennial/task"
_COMMAND = ["python", "-m", "training.job"]
_NAME_LIMIT = 63


class JobApi(Protocol):
    """The two calls of `kubernetes.client.BatchV1Api` that are used; the controller has rights to no more."""

    def create_namespaced_job(self, namespace: str, body: Any) -> Any: ...

    def read_namespaced_job(self, name: str, namespace: str) -> Any: ...


class JobRefusedError(OSError):
    """The API server refused the Job: that counts as an attempt, for asking again would not help."""


class KubernetesRunner:
    """A Job is named after its request, so that the API server itself refuses a second one."""

    def __init__(self, home: Home, namespace: str, template: dict[str, Any], api: JobApi) -> None:
        self._home = home
        self._namespace = namespace
        self._template = template
        self._api = api

    @classmethod
    def in_cluster(cls, home: Home, settings: ControllerSettings) -> KubernetesRunner:
        """With the pod's own service account. Raises SettingsError outside a cluster, or without a usable template."""
        try:
            config.load_incluster_config()
        except config.ConfigException as error:
            raise SettingsError(
                "PERENNIAL_CONTROLLER_RUNNER", "kubernetes", f"to run in a pod with a service account ({error})"
            ) from error
        return cls(home, settings.kubernetes_namespace, read_template(settings), client.BatchV1Api())

    def start(self, folder: Path, attempt: int) -> None:
        """Create the Job; that it exists already is as good."""
        body = job_manifest(self._template, folder, self._home, attempt)
        try:
            self._call(lambda: self._api.create_namespaced_job(self._namespace, body))
        except ApiException as error:
            if error.status != 409:
                raise JobRefusedError(
                    f"Job {body['metadata']['name']}: the API server refused it: {error.status} {error.reason}. "
                    "Check the Job template and the controller's Role."
                ) from error

    def is_alive(self, folder: Path, attempt: int) -> bool:
        """Whether the Job is there and neither complete nor failed."""
        if attempt == 0:
            return False
        try:
            job = self._call(lambda: self._api.read_namespaced_job(job_name(folder.name, attempt), self._namespace))
        except ApiException as error:
            if error.status == 404:
                return False
            raise JobNotStartedError(
                f"Job {job_name(folder.name, attempt)}: its state cannot be read: {error.status} {error.reason}."
            ) from error
        conditions = (job.status.conditions if job.status else None) or []
        return not any(found.type in ("Complete", "Failed") and found.status == "True" for found in conditions)

    def stop(self, folder: Path, attempt: int, pid: int | None, *, grace: float) -> bool:
        """A Job goes on without its controller, and ends by its own `activeDeadlineSeconds`."""
        return False

    def _call(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except HTTPError as error:
            raise JobNotStartedError(f"The Kubernetes API cannot be reached ({error}). It is asked again.") from error
        except ApiException as error:
            if error.status == 429 or (error.status or 500) >= 500:
                raise JobNotStartedError(
                    f"The Kubernetes API answers {error.status} {error.reason}. It is asked again."
                ) from error
            raise


def job_name(request: str, attempt: int) -> str:
    """The request's id, with a number from the second attempt on; at most 63 characters."""
    if attempt <= 1:
        return request[-_NAME_LIMIT:].strip("-")
    suffix = f"-{attempt}"
    return request[-(_NAME_LIMIT - len(suffix)) :].strip("-") + suffix


def job_manifest(template: dict[str, Any], folder: Path, home: Home, attempt: int) -> dict[str, Any]:
    """The template with the name, the labels and, in its first container, the request filled in. Pure.

    The container's own `command` is kept where the template has one; its arguments are the request's.
    """
    body = copy.deepcopy(template)
    metadata = body.setdefault("metadata", {})
    metadata["name"] = job_name(folder.name, attempt)
    metadata["labels"] = {
        **(metadata.get("labels") or {}),
        REQUEST_LABEL: folder.name,
        TASK_LABEL: folder.parent.name,
    }
    container = _container(body)
    container.setdefault("command", list(_COMMAND))
    container["args"] = [str(folder), "--home", str(home.root)]
    return body


def read_template(settings: ControllerSettings) -> dict[str, Any]:
    """The Job's YAML; raises SettingsError when it is not one."""
    path = settings.kubernetes_job_template
    name, expected = "PERENNIAL_CONTROLLER_JOB_TEMPLATE", "the path of a batch/v1 Job in YAML with a container"
    if path is None:
        raise SettingsError(name, None, expected)
    try:
        template: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
        usable = template["kind"] == "Job" and isinstance(_container(template), dict)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, IndexError, TypeError) as error:
        raise SettingsError(name, str(path), f"{expected} ({error!r})") from error
    if not usable:
        raise SettingsError(name, str(path), expected)
    return template


def _container(template: dict[str, Any]) -> Any:
    return template["spec"]["template"]["spec"]["containers"][0]
