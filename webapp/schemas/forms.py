"""The base of the schemas of forms."""

from marshmallow import EXCLUDE, Schema


class FormSchema(Schema):
    """A schema that leaves out fields that it does not know."""

    class Meta(Schema.Meta):
        unknown = EXCLUDE
