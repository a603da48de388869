"""An e-mail, a role, and groups."""

from django.db import models


class Group(models.Model):
    """A device group."""

    name = models.CharField(max_length=80, unique=True)

    def __str__(self) -> str:
        return self.name


class Person(models.Model):
    """Somebody of the directory, or to be invited to it."""

    email = models.EmailField(unique=True)
    role = models.CharField(
        max_length=80, choices=[(role, role) for role in ("Analyst", "Remote", "Broadcaster")]
    )
    groups = models.ManyToManyField(Group)

    def __str__(self) -> str:
        return self.email
