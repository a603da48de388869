"""marshmallow schemas: the only place where rules about values live, for files, cells and forms alike.

What a schema must know of the directory comes in as a `core.plan.registry.Registry`, read once a request.
"""
