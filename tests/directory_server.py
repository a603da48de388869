"""A directory server for tests: slapd of OpenLDAP, with TLS for localhost. As root on Debian it is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import ldap3

from tests import chromium
from tests.ports import free_port
from tests.smtp_sink import CERTIFICATE

BASE = "dc=northfield,dc=example"
READER = f"cn=muster,{BASE}"
PASSWORD = "reading-only"
PATIENCE = 20  # seconds until it answers

CONFIGURATION = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
pidfile {folder}/slapd.pid
TLSCertificateFile {certificate}
TLSCertificateKeyFile {certificate}
sizelimit size.soft=100 size.hard=100 size.prtotal={most}
database mdb
suffix {base}
rootdn cn=root,{base}
rootpw {password}
directory {folder}/data
maxsize 104857600
dbnosync
overlay memberof
access to attrs=userPassword by anonymous auth by * none
access to * by * read
"""


def find() -> str | None:
    """The program; None where it is not installed."""
    return shutil.which("slapd", path=os.environ.get("PATH", "") + ":/usr/sbin")


def install() -> None:
    """As root on Debian, from the distribution's package, without the service that it would start."""
    if find() or os.geteuid() or not shutil.which("apt-get"):
        return
    no_service = Path("/usr/sbin/policy-rc.d")
    was_there = no_service.exists()
    if not was_there:
        no_service.write_text("#!/bin/sh\nexit 101\n")
        no_service.chmod(0o755)
    try:
        chromium._apt_get("update")
        chromium._apt_get("install", "-y", "--no-install-recommends", "slapd")
    finally:
        if not was_there:
            no_service.unlink()


class DirectoryServer:
    """A running server with these people, who are {uid: attributes}, and groups, which are {name: uids}."""

    def __init__(
        self, people: Mapping[str, Mapping[str, str]], groups: Mapping[str, Iterable[str]], most: str = "unlimited"
    ) -> None:
        program = find()
        assert program, "slapd is not installed (Debian: apt-get install slapd)"
        self._folder = Path(tempfile.mkdtemp(prefix="muster-ldap-"))
        (self._folder / "data").mkdir()
        self.port, self.tls_port = free_port(), free_port()
        written = self._folder / "slapd.conf"
        written.write_text(
            CONFIGURATION.format(folder=self._folder, certificate=CERTIFICATE, base=BASE, password=PASSWORD, most=most)
        )
        where = f"ldap://127.0.0.1:{self.port} ldaps://127.0.0.1:{self.tls_port}"
        self._process = subprocess.Popen(
            [program, "-d", "0", "-f", str(written), "-h", where],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._fill(people, groups)

    def stop(self) -> None:
        """Stop it; nothing is left."""
        self._process.terminate()
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def change(self, uid: str, **attributes: str) -> None:
        """Change attributes of a person."""
        with self._connection() as connection:
            changes = {name: [(ldap3.MODIFY_REPLACE, [value])] for name, value in attributes.items()}
            assert connection.modify(f"uid={uid},{BASE}", changes), connection.result

    def _fill(self, people: Mapping[str, Mapping[str, str]], groups: Mapping[str, Iterable[str]]) -> None:
        with self._connection() as connection:
            organisation = {"objectClass": ["dcObject", "organization"], "dc": "northfield", "o": "Northfield"}
            connection.add(BASE, attributes=organisation)
            reader = {"objectClass": ["organizationalRole", "simpleSecurityObject"], "userPassword": PASSWORD}
            connection.add(READER, attributes=reader)
            for uid, attributes in people.items():
                person = {"objectClass": "inetOrgPerson", "cn": uid, "sn": uid, "userPassword": f"{uid}’s password"}
                assert connection.add(f"uid={uid},{BASE}", attributes=person | dict(attributes)), connection.result
            for name, uids in groups.items():
                members = [f"uid={uid},{BASE}" for uid in uids]
                group = {"objectClass": "groupOfNames", "member": members}
                place = f"cn={name.replace(',', chr(92) + ',')},{BASE}"
                assert connection.add(place, attributes=group), connection.result

    def _connection(self) -> ldap3.Connection:
        deadline = time.monotonic() + PATIENCE
        while True:
            # a new one each time: it remembers for some seconds that nobody answered
            server = ldap3.Server("127.0.0.1", self.port, get_info=ldap3.NONE)
            try:
                return ldap3.Connection(server, f"cn=root,{BASE}", PASSWORD, auto_bind=True)
            except ldap3.core.exceptions.LDAPSocketOpenError:
                assert self._process.poll() is None, "slapd ended"
                assert time.monotonic() < deadline, "slapd does not answer"
                time.sleep(0.02)


if __name__ == "__main__":
    install()
    if not find():
        sys.exit("The tests of the directory need slapd: as root, “apt-get install slapd”, then run them again.")
