"""A Django project in one file, run in the peers' environment: it takes a task a line, and answers with its seconds.

Its arguments are a folder for the database, the CSV file, and how many people there are already. Tasks: "dry run", the
import by its API; "preview and confirm", as a person does it in the admin. Each begins with the same database.
"""

import re
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import django
from django.conf import settings
from django.core.management import call_command
from django.test import Client
from django.urls import path

folder, csv_file, known = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
database = folder / "db.sqlite3"

settings.configure(
    SECRET_KEY="-" * 50,
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    INSTALLED_APPS=[
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
        "import_export",
        "people",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": database}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    STATIC_URL="static/",
)
django.setup()

from django.contrib import admin  # noqa: E402 - only once it is set up
from django.contrib.auth.models import User  # noqa: E402
from django.db import connection  # noqa: E402
from people.admin import PersonResource  # noqa: E402
from people.models import Group, Person  # noqa: E402
from tablib import Dataset  # noqa: E402

urlpatterns = [path("admin/", admin.site.urls)]
GROUPS = (
    "Student Devices",
    "Teacher Laptops",
    "Library Chromebooks",
    "Science Lab iPads",
    "Exam Laptops",
)
ROLES = ("Analyst", "Remote", "Broadcaster")


def prepare() -> None:
    """The tables, an administrator, and the people there are: as many, and the same, as Muster has."""
    call_command("migrate", run_syncdb=True, verbosity=0)
    User.objects.create_superuser("owner", password=settings.SECRET_KEY)
    groups = Group.objects.bulk_create(Group(name=name) for name in GROUPS)
    people = Person.objects.bulk_create(
        Person(email=f"person{n}@northfield.example", role=ROLES[n % 3]) for n in range(known)
    )
    through = Person.groups.through
    through.objects.bulk_create(
        through(person=person, group=groups[n % 5]) for n, person in enumerate(people)
    )
    connection.close()
    shutil.copy(database, folder / "prepared.sqlite3")


def dry_run() -> None:
    """What the import would do."""
    data = Dataset().load(csv_file.read_text(encoding="utf-8"), format="csv")
    result = PersonResource().import_data(data, dry_run=True)
    assert not result.has_errors()
    assert not result.has_validation_errors()


def preview_and_confirm() -> None:
    """The file is sent, its preview comes, and is confirmed."""
    browser = Client()
    browser.force_login(User.objects.get())
    with csv_file.open("rb") as file:
        preview = browser.post(
            "/admin/people/person/import/", {"import_file": file, "format": "0", "resource": "0"}
        )
    page = preview.content.decode()
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
    answer = browser.post("/admin/people/person/process_import/", hidden)
    assert answer.status_code == 302, page[:2000]


TASKS: dict[str, Callable[[], None]] = {
    "dry run": dry_run,
    "preview and confirm": preview_and_confirm,
}


def main() -> None:
    """One task after another."""
    prepare()
    for line in sys.stdin:
        connection.close()
        shutil.copy(folder / "prepared.sqlite3", database)
        start = time.process_time()
        TASKS[line.strip()]()
        print(time.process_time() - start, flush=True)


if __name__ == "__main__":
    main()
