"""What our own providers say about the process: which service, version, host and environment."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from uuid import uuid4

from opentelemetry.sdk.resources import Resource

from agenttracer import __version__
from agenttracer.instrumentation.run_context import Agent
from agenttracer.schemas import semconv


def make_resource(agent: Agent | None, service_name: str | None, environment: str | None) -> Resource:
    """The resource of our own providers; OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES fill what isn't given."""
    found = Resource.create({}).attributes
    given = {
        semconv.SERVICE_NAME: service_name or _named(found.get(semconv.SERVICE_NAME)) or (agent and agent.id),
        semconv.SERVICE_VERSION: found.get(semconv.SERVICE_VERSION) or (agent and agent.version),
        semconv.SERVICE_INSTANCE_ID: found.get(semconv.SERVICE_INSTANCE_ID) or str(uuid4()),
        semconv.HOST_NAME: found.get(semconv.HOST_NAME) or socket.gethostname(),
        semconv.DEPLOYMENT_ENVIRONMENT_NAME: environment or found.get(semconv.DEPLOYMENT_ENVIRONMENT_NAME),
        semconv.AGENT_DEPLOYMENT_TYPE: found.get(semconv.AGENT_DEPLOYMENT_TYPE)
        or deployment_type(os.environ),
        semconv.VCS_REF_HEAD_REVISION: found.get(semconv.VCS_REF_HEAD_REVISION)
        or os.environ.get("GIT_COMMIT_SHA"),
        semconv.TELEMETRY_DISTRO_NAME: "agenttracer",
        semconv.TELEMETRY_DISTRO_VERSION: __version__,
    }
    return Resource.create({key: value for key, value in given.items() if value})


def deployment_type(environment: Mapping[str, str]) -> str:
    """Where the process runs: kubernetes, serverless, cloud, docker or local."""
    if "KUBERNETES_SERVICE_HOST" in environment:
        return "kubernetes"
    if environment.keys() & {"AWS_LAMBDA_FUNCTION_NAME", "FUNCTION_TARGET", "FUNCTIONS_WORKER_RUNTIME"}:
        return "serverless"
    if environment.keys() & {"K_SERVICE", "ECS_CONTAINER_METADATA_URI_V4", "WEBSITE_INSTANCE_ID"}:
        return "cloud"
    return "docker" if os.path.exists("/.dockerenv") else "local"


def _named(service_name: object) -> str | None:
    """The service's name, unless it is what OpenTelemetry writes for want of one."""
    text = None if service_name is None else str(service_name)
    return None if text is None or text.startswith("unknown_service") else text
