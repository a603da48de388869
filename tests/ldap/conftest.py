"""A directory server for the tests of this folder, with four people and two groups."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from webapp.settings.settings import Settings

from tests.directory_server import BASE, PASSWORD, READER, DirectoryServer
from tests.smtp_sink import CERTIFICATE

PEOPLE = {
    "ana": {"mail": "ana@northfield.example", "displayName": "Ana Souza"},
    "ben": {"mail": "Ben@Northfield.example", "displayName": "=Ben"},
    "chloe": {"mail": "chloe@northfield.example"},
    "printer": {"displayName": "Printer in the hall"},
}
GROUPS = {"Student  devices": ["ana", "ben"], "Schüler, Gäste": ["ana"], "Year 1": ["chloe", "printer"]}


@pytest.fixture(scope="session")
def directory_server() -> Iterator[DirectoryServer]:
    server = DirectoryServer(PEOPLE, GROUPS)
    yield server
    server.stop()


@pytest.fixture
def use_directory(directory_server: DirectoryServer, change_settings: Callable[..., Settings]) -> Callable[..., Settings]:
    """`use_directory(ldap_base="…")`: Muster has this directory, over TLS, with these settings in place of the right ones."""

    def use(**values: str) -> Settings:
        right = {
            "ldap_url": f"ldaps://localhost:{directory_server.tls_port}",
            "ldap_base": BASE,
            "ldap_bind_dn": READER,
            "ldap_bind_password": PASSWORD,
            "ca_file": str(CERTIFICATE),
        }
        return change_settings(**right | values)

    return use


@pytest.fixture
def directory(use_directory: Callable[..., Settings]) -> Settings:
    """Muster has this directory."""
    return use_directory()
