"""The import, as django-import-export's documentation writes it, with its defaults."""

from django.contrib import admin
from import_export import fields, resources
from import_export.admin import ImportExportModelAdmin
from import_export.widgets import ManyToManyWidget
from people.models import Group, Person


class PersonResource(resources.ModelResource):
    """Email, Role, Groups; somebody is known by their e-mail."""

    email = fields.Field(attribute="email", column_name="Email")
    role = fields.Field(attribute="role", column_name="Role")
    groups = fields.Field(
        attribute="groups",
        column_name="Groups",
        widget=ManyToManyWidget(Group, field="name", separator=", "),
    )

    class Meta:
        model = Person
        fields = ("email", "role", "groups")
        import_id_fields = ("email",)


@admin.register(Person)
class PersonAdmin(ImportExportModelAdmin):
    """Import with a preview and a confirmation."""

    resource_classes = [PersonResource]  # noqa: RUF012 - as documented
