"""marshmallow schemas: rules about rows, cells, blocks and actions, the same for files, edited cells and single invites.

What a schema must know of the directory comes in as a `core.plan.registry.Registry`, read once a request.
"""
