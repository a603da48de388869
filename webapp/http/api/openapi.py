"""The OpenAPI 3.1 document of all routes below /api/v1. apispec turns their schemas into JSON Schema."""

from __future__ import annotations

import inspect
import re
from functools import cache
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Flask
from marshmallow import Schema
from werkzeug.routing import Rule

from webapp.core.lists.paging import LARGEST
from webapp.http.api.documents import Operation
from webapp.http.api.problems import MEDIA_TYPE
from webapp.http.api.requests import JSON
from webapp.http.web import PUBLIC
from webapp.schemas.api.fields import ProblemOutput
from webapp.version import version

TOP = "/api/v1"
FAULTS = {
    "400": "What was sent cannot be read.",
    "401": "There is no token, or none that works.",
    "403": "The token, or its role, does not include this.",
    "404": "There is no such thing.",
    "405": "This method does not exist here.",
    "409": "Something is in the way; `detail` says what.",
    "412": "What you have seen is not there any more.",
    "413": "It is too long.",
    "415": "It is of another type.",
    "422": "It breaks a rule; `errors` points to where.",
    "428": "If-Match is missing.",
    "429": "Too many calls; Retry-After says when to go on.",
    "503": "Muster is busy; Retry-After says when to ask again.",
}
"""Problems, by status: any route may answer them."""


@cache
def make_document(app: Flask) -> dict[str, Any]:
    """The whole document."""
    spec = APISpec(
        title="Muster",
        version=version(),
        openapi_version="3.1.0",
        info={"description": "Invite many people at once. docs/api.md has a walk through it."},
        plugins=[MarshmallowPlugin(schema_name_resolver=_name)],
        security=[{"token": []}],
    )
    token = {"type": "http", "scheme": "bearer", "description": "muster_…"}
    spec.components.security_scheme("token", token)
    for rule in list_rules(app):
        add_rule(spec, app, rule)
    return spec.to_dict()


def list_rules(app: Flask) -> list[Rule]:
    """The routes of the API that are described, by path."""
    rules = []
    for rule in app.url_map.iter_rules():
        if hasattr(app.view_functions[rule.endpoint], "operation"):
            rules.append(rule)
    return sorted(rules, key=lambda rule: rule.rule)


def add_rule(spec: APISpec, app: Flask, rule: Rule) -> None:
    """Add a route to the document."""
    view: Any = app.view_functions[rule.endpoint]
    methods = (rule.methods or set()) - {"HEAD", "OPTIONS"}
    path = re.sub(r"<int:(\w+)>", r"{\1}", rule.rule)
    for method in methods:
        made = describe_operation(view.operation, rule)
        made["description"] = inspect.cleandoc(view.__doc__ or "")
        made["operationId"] = rule.endpoint.removeprefix("api_").replace(".", "_")
        who = view.required
        made["x-permission"] = str(who)
        if who == PUBLIC:
            made["security"] = []
        spec.path(path=path, operations={method.lower(): made})


def describe_operation(operation: Operation, rule: Rule) -> dict[str, Any]:
    """What a route takes and gives."""
    made: dict[str, Any] = {
        "summary": operation.summary,
        "tags": [rule.rule.removeprefix(TOP).split("/")[1]],
        "parameters": list_parameters(operation, rule),
        "responses": list_responses(operation),
    }
    content = {}
    if operation.body:
        content[JSON] = {"schema": operation.body}
    if operation.form:
        content["multipart/form-data"] = {"schema": operation.form}
    if content:
        is_needed = bool(operation.body and has_required(operation.body))
        made["requestBody"] = {"content": content, "required": is_needed}
    return made


def list_parameters(operation: Operation, rule: Rule) -> list[dict[str, Any]]:
    """The numbers in the path, the query, and the headers."""
    parameters: list[dict[str, Any]] = []
    for name in sorted(rule.arguments):
        number = {"type": "integer", "minimum": 1, "maximum": LARGEST}
        parameters.append({"in": "path", "name": name, "required": True, "schema": number})
    if operation.query:
        parameters.append({"in": "query", "schema": operation.query})
    for name, is_needed in operation.headers.items():
        text = {"type": "string"}
        if name == "Idempotency-Key":
            text |= {"pattern": "^[!-~]{1,255}$"}
        parameters.append({"in": "header", "name": name, "required": is_needed, "schema": text})
    return parameters


def list_responses(operation: Operation) -> dict[str, Any]:
    """What a route answers: what it is for, and problems."""
    problem = {MEDIA_TYPE: {"schema": ProblemOutput}}
    responses: dict[str, Any] = {}
    for status, words in FAULTS.items():
        responses[status] = {"description": words, "content": problem}
    good: dict[str, Any] = {"description": operation.summary}
    if operation.gives:
        good["content"] = {JSON: {"schema": operation.gives}}
    responses[str(operation.status)] = good
    for code, words in operation.also.items():
        responses[str(code)] = good | {"description": words}
    if "304" in responses:
        responses["304"] = {"description": responses["304"]["description"]}
    return responses


def has_required(schema: type[Schema]) -> bool:
    """Whether a schema has a field that must be there."""
    return any(field.required for field in schema().fields.values())


def _name(schema: Any) -> str:
    """What a schema is called in the document."""
    kind = schema if isinstance(schema, type) else type(schema)
    return kind.__name__.removesuffix("Output")
