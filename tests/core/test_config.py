"""Settings: what the environment may say, and the one line for what it may not."""

import os
import re
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from webapp.run import data_folder
from webapp.settings.fields import ConfigError
from webapp.settings.settings import FIELDS, Settings


@pytest.fixture
def read(tmp_path: Path):
    def read(**values: str) -> Settings:
        names = {"MUSTER_DATA_DIR": str(tmp_path / "data")} | {f"MUSTER_{name}": value for name, value in values.items()}
        return Settings.from_environment(names)

    return read


def test_nothing_set_is_enough(read, tmp_path: Path) -> None:
    settings = read()
    assert settings.data_dir == tmp_path / "data"
    assert (settings.host, settings.port, settings.public_url) == ("127.0.0.1", 8000, "http://127.0.0.1:8000")
    assert settings.database_url == f"sqlite:///{tmp_path}/data/muster.db"
    assert settings.queue_url == f"unix://{tmp_path}/data/valkey.sock"
    assert not settings.redis_url
    assert settings.mail_url == ""
    assert (settings.mail_rate, settings.max_rows, settings.max_upload_mb, settings.invite_days) == (
        600,
        100,
        10,
        7,
    )
    assert (settings.workers, settings.trusted_proxies, settings.retention_days, settings.audit_days) == (2, 0, 0, 730)
    assert (settings.session_idle, settings.session_max) == (timedelta(hours=8), timedelta(days=7))
    assert (settings.prefix, settings.https) == ("", False)
    assert settings.given == {"DATA_DIR"}


def test_a_checkout_keeps_its_data_in_the_current_folder(tmp_path: Path) -> None:
    assert data_folder.locate("", {"STATE_DIRECTORY": "/srv/state", "XDG_DATA_HOME": "/srv/share"}) == Path.cwd() / "data"


def test_without_a_home_folder_the_data_folder_has_to_be_named() -> None:
    with pytest.raises(ConfigError, match=r"^This user has no home folder: set MUSTER_DATA_DIR"):
        data_folder.locate("~nobody-of-this-name/data", {})


def test_0_days_keep_everything(read) -> None:
    assert (read(AUDIT_DAYS="0").audit_days, read(AUDIT_DAYS="30").audit_days) == (0, 30)


def test_blank_is_not_set(read) -> None:
    assert read(PORT=" ", MAIL_URL="").port == 8000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "80x"), ("PORT", "0"), ("PORT", "65536"), ("PORT", "-1"), ("PORT", "²"),
        ("HOST", "http://localhost"), ("HOST", "a b"),
        ("PUBLIC_URL", "muster.example.org"), ("PUBLIC_URL", "ftp://x"), ("PUBLIC_URL", "http://"),
        ("PUBLIC_URL", "https://x/?a"), ("PUBLIC_URL", "https://me@x/"), ("PUBLIC_URL", "https://x/../y"),
        ("PUBLIC_URL", "http://[x"), ("MAIL_FROM", "nobody"), ("MAIL_FROM", "a@b\nBcc: c@d"),
        ("MAIL_FROM", "IT <=?utf-8?q?a=2Cb=40c?=@x.org>"),
        ("MAIL_RATE", "0"), ("MAX_ROWS", "many"), ("WORKERS", "0"), ("THREADS", "3"), ("WEBS", "0"),
        ("TIME_ZONE", "Mars/Base"), ("TIME_ZONE", "../../etc/passwd"),
        ("SESSION_IDLE", "8"), ("SESSION_IDLE", "0h"), ("SESSION_MAX", "eternity"),
        ("REQUIRE_TOTP", "yes"), ("AUDIT_DAYS", "29"), ("AUDIT_DAYS", "1"), ("AUDIT_DAYS", "36501"),
        ("ALLOWED_DOMAINS", "example.org, not a domain"),
        ("LOG_FORMAT", "xml"), ("CA_FILE", "/nowhere.pem"), ("LDAP_FILTER", "mail=*"), ("LDAP_EMAIL", "mail)(uid"),
        ("LDAP_URL", "ldap://ldap.example.org"), ("LDAP_URL", "ldaps://"), ("LDAP_URL", "ldaps://u:p@ldap.example.org"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_one_line_with_name_value_and_what_is_expected(read, tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read(**{name: value})
    line = str(refused.value)
    assert re.fullmatch(rf"MUSTER_{name} is “.+”, which cannot be used\. Expected: .+\.", line)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", "hunter2"), ("SECRET_KEY_FALLBACKS", "hunter2"),
        ("DATABASE_URL", "mysql://root:hunter2@db/x"), ("DATABASE_URL", "hunter2"),
        ("REDIS_URL", "valkey://:hunter2@x"), ("REDIS_URL", "unix:///has space/hunter2"), ("REDIS_URL", "redis://:hunter2@x:port"),
        ("MAIL_URL", "https://u:hunter2@x"), ("MAIL_URL", "smtp://"), ("METRICS_TOKEN", "hunter2"),
    ],
)  # fmt: skip
def test_a_wrong_secret_is_not_repeated(read, name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=rf"^MUSTER_{name} has a value that cannot be used\. Expected: .+\.$") as refused:
        read(**{name: value})
    assert "hunter2" not in str(refused.value)


def test_nothing_secret_is_in_its_repr(read) -> None:
    settings = read(
        SECRET_KEY="hunter2" * 8,
        SECRET_KEY_FALLBACKS="hunter2" * 9,
        DATABASE_URL="postgresql://u:hunter2@db/x",
        REDIS_URL="redis://:hunter2@q",
        MAIL_URL="smtps://u:hunter2@mail",
        OWNER_EMAIL="owner@example.org",
        OWNER_PASSWORD="hunter2",
    )
    assert "hunter2" not in repr(settings)
    assert settings.queue_url == "redis://:hunter2@q"


SECRETS = [name for name, field in FIELDS.items() if field.is_secret]


@pytest.fixture
def secret(tmp_path: Path):
    """A file with this content; its path."""

    def write(content: str | bytes) -> str:
        file = tmp_path / "secret"
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(file)

    return write


class TestSecretsInFiles:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("SECRET_KEY", "k" * 32), ("DATABASE_URL", "postgresql+psycopg://u:hunter2@db/x"), ("REDIS_URL", "redis://:hunter2@q"),
            ("MAIL_URL", "smtps://u:hunter2@mail"), ("METRICS_TOKEN", "a-token-for-the-monitor"), ("OWNER_PASSWORD", "hunter2"),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("end", ["", "\n", "\r\n"])
    def test_are_read_without_the_line_break_at_their_end(self, read, secret, name: str, value: str, end: str) -> None:
        path = secret(value + end)
        settings = read(**{f"{name}_FILE": path})
        assert getattr(settings, name.lower()) == value
        assert name in settings.given
        assert settings.secret_sources == {f"MUSTER_{name}": path}
        assert "hunter2" not in repr(settings)

    def test_every_secret_can_be_and_nothing_else(self, read, secret) -> None:
        assert {"SECRET_KEY", "SECRET_KEY_FALLBACKS", "DATABASE_URL", "REDIS_URL", "MAIL_URL", "METRICS_TOKEN"} < set(SECRETS)
        for name in SECRETS:
            with pytest.raises(ConfigError, match=rf"^MUSTER_{name}_FILE names “/no/such”, which cannot be read \(No such file"):
                read(**{f"{name}_FILE": "/no/such"})
        with pytest.raises(ConfigError, match=r"^MUSTER_PORT_FILE is not a setting of Muster\."):
            read(PORT_FILE=secret("8000"))

    @pytest.mark.parametrize(("typed", "meant"), [("SECRET_KEY_FIEL", "SECRET_KEY_FILE"), ("MAILURL_FILE", "MAIL_URL_FILE")])
    def test_a_misspelt_name_leads_to_them(self, read, typed: str, meant: str) -> None:
        with pytest.raises(ConfigError, match=rf"Did you mean MUSTER_{meant}\?$"):
            read(**{typed: "/run/secrets/x"})

    def test_both_at_once_are_refused(self, read, secret) -> None:
        with pytest.raises(ConfigError) as refused:
            read(SECRET_KEY="hunter2" * 8, SECRET_KEY_FILE=secret("k" * 32))
        assert str(refused.value) == "MUSTER_SECRET_KEY and MUSTER_SECRET_KEY_FILE are both set: remove one of them."

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            ("", "is empty"), (" \n", "is empty"), ("x" * 70_000, "is too long for a secret"),
            (b"\xff" * 40, r"cannot be read \(it is not UTF-8 text\)"),
        ],
    )  # fmt: skip
    def test_a_file_that_holds_no_secret_is_one_line(self, read, secret, content: str | bytes, words: str) -> None:
        path = secret(content)
        with pytest.raises(ConfigError, match=rf"^MUSTER_DATABASE_URL_FILE names “{path}”, which {words}\.$"):
            read(DATABASE_URL_FILE=path)

    def test_a_folder_is_no_file(self, read, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"which cannot be read \(Is a directory\)\.$"):
            read(MAIL_URL_FILE=str(tmp_path))

    def test_the_secret_in_place_of_its_file_is_not_repeated(self, read) -> None:
        with pytest.raises(ConfigError, match=r"^MUSTER_MAIL_URL_FILE has a value that cannot be used") as refused:
            read(MAIL_URL_FILE="smtps://u:hunter2@mail")
        assert "hunter2" not in str(refused.value)

    def test_a_wrong_secret_is_told_by_the_name_that_was_set_and_not_repeated(self, read, secret) -> None:
        with pytest.raises(ConfigError, match=r"^MUSTER_SECRET_KEY_FILE has a value that cannot be used") as refused:
            read(SECRET_KEY_FILE=secret("hunter2"))
        assert "hunter2" not in str(refused.value)

    def test_blank_is_not_set(self, read) -> None:
        settings = read(MAIL_URL_FILE=" ")
        assert (settings.mail_url, settings.secret_sources) == ("", {})


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("MUSTER_PROT", "PORT"), ("MUSTER_DATABSE_URL", "DATABASE_URL"), ("MUSTER_port", "PORT")],
)
def test_an_unknown_name_is_refused_with_the_nearest(typed: str, meant: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Settings.from_environment({typed: "1"})
    assert str(refused.value) == f"{typed} is not a setting of Muster. Did you mean MUSTER_{meant}?"


def test_every_name_can_be_set(read, tmp_path: Path) -> None:
    values = dict.fromkeys(FIELDS, "5") | {
        "AUDIT_DAYS": "35",
        "DATA_DIR": str(tmp_path / "data"),
        "HOST": "0.0.0.0",
        "DATABASE_URL": "postgres://u:p@db/muster",
        "REDIS_URL": "redis://q/2",
        "MAIL_URL": "smtp+starttls://u:p@mail:587",
        "MAIL_FROM": "People <people@example.org>",
        "MAIL_REPLY_TO": "Help <help@example.org>",
        "MAIL_REPLY_TO_INVITER": "Yes",
        "CONTINUE_URL": "https://intranet.example.org",
        "LOG": "debug",
        "SECRET_KEY": "k" * 32,
        "SECRET_KEY_FALLBACKS": f"{'a' * 32}, {'b' * 32}",
        "PUBLIC_URL": "https://Portal.example.org/muster/",
        "ALLOWED_DOMAINS": "Example.ORG, exämple.com,@intranet.local",
        "GROUPS": "Staff,  Student   Devices",
        "TIME_ZONE": "Europe/Berlin",
        "SESSION_IDLE": "30m",
        "SESSION_MAX": "1d",
        "REQUIRE_TOTP": "Managers",
        "UPLOAD_MODE": "Add",
        "OIDC_ISSUER": "https://login.example.org/realms/school",
        "OIDC_SCOPES": "email openid groups",
        "OIDC_GROUPS": "Add",
        "OIDC_EMAIL": "trusted",
        "OIDC_ONLY": "yes",
        "CA_FILE": str(Path(__file__).parents[1] / "smtp_sink.pem"),
        "PROXY_NETWORKS": "10.0.0.5, fd00::/8",
        "PROXY_SIGN_OUT_URL": "/oauth2/sign_out",
        "OWNER_EMAIL": "o@example.org",
        "METRICS_TOKEN": "a-token-for-the-monitor",
        "LOG_FORMAT": "JSON",
        "LDAP_URL": "ldaps://ldap.example.org",
        "LDAP_FILTER": "(objectClass=person)",
        **dict.fromkeys(["LDAP_ID", "LDAP_EMAIL", "LDAP_NAME", "LDAP_GROUPS"], "mail"),
    }
    settings = read(**values)
    assert settings.given == set(FIELDS)
    assert settings.database_url == "postgresql+psycopg://u:p@db/muster"
    assert settings.public_url == "https://portal.example.org/muster"
    assert (settings.prefix, settings.https) == ("/muster", True)
    assert settings.allowed_domains == ("example.org", "xn--exmple-cua.com", "intranet.local")
    assert settings.groups == ("Staff", "Student   Devices")
    assert settings.secret_key_fallbacks == ("a" * 32, "b" * 32)
    assert settings.require_totp == "managers"
    assert settings.reminder_days == 5
    assert (settings.mail_reply_to, settings.mail_reply_to_inviter) == ("Help <help@example.org>", "yes")
    assert settings.log_format == "json"
    assert (settings.session_idle, settings.time_zone.key) == (timedelta(minutes=30), "Europe/Berlin")
    assert not (tmp_path / "data" / "secret_key").exists()


def test_a_directory_needs_the_place_where_people_are(read) -> None:
    with pytest.raises(ConfigError, match=r"^MUSTER_LDAP_BASE is not set; "):
        read(LDAP_URL="ldap://localhost")


@pytest.mark.parametrize(("host", "url"), [("::1", "http://[::1]:8000"), ("localhost", "http://localhost:8000")])
def test_the_address_follows_from_a_loopback_host(read, host: str, url: str) -> None:
    assert read(HOST=host).public_url == url


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "muster.example.org", "192.168.1.5"])
def test_another_host_needs_the_public_address(read, host: str) -> None:
    with pytest.raises(ConfigError, match=r"^MUSTER_PUBLIC_URL is not set"):
        read(HOST=host)
    assert read(HOST=host, PUBLIC_URL="https://m.example.org").host == host


def test_e_mail_comes_from_the_portals_own_host_unless_that_is_a_number(read) -> None:
    assert read().mail_from == "Muster <muster@localhost>"
    assert read(PUBLIC_URL="https://m.example.org:8443/x").mail_from == "Muster <muster@m.example.org>"


def test_the_data_folder_and_its_key_are_private_and_stay(read, tmp_path: Path) -> None:
    first = read()
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "data" / "secret_key").stat().st_mode & 0o777 == 0o600
    assert len(first.secret_key) >= 43, "256 bits and more"
    assert read().secret_key == first.secret_key


def test_many_that_start_together_share_one_key(read) -> None:
    together = threading.Barrier(8)
    keys: list[str] = []

    def start() -> None:
        together.wait()
        keys.append(read().secret_key)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 8
    assert len(set(keys)) == 1


def test_a_key_file_that_is_cut_short_is_refused_not_replaced(read, tmp_path: Path) -> None:
    read()
    key = tmp_path / "data" / "secret_key"
    key.write_text("")
    with pytest.raises(ConfigError, match="restore the file, or delete it"):
        read()
    assert key.read_text() == ""


def test_a_key_file_that_others_could_read_is_closed(read, tmp_path: Path) -> None:
    read()
    key = tmp_path / "data" / "secret_key"
    key.chmod(0o644)
    read()
    assert key.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("folder", ["/proc/muster", "/dev/null", "/dev/null/muster"])
def test_a_data_folder_that_cannot_be_made_is_one_line(folder: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Settings.from_environment({"MUSTER_DATA_DIR": folder})
    assert str(refused.value).startswith(f"MUSTER_DATA_DIR is “{folder}”, which this user cannot make, ")
    assert len(str(refused.value).splitlines()) == 1


def test_a_relative_data_folder_is_that_of_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Settings.from_environment({}).data_dir == tmp_path / "data"


@pytest.mark.parametrize("folder", ["so long " * 20, "a b", "x" * 120])
def test_the_socket_is_always_short_and_without_spaces(tmp_path: Path, folder: str) -> None:
    settings = Settings.from_environment({"MUSTER_DATA_DIR": str(tmp_path / folder.strip())})
    assert len(os.fsencode(settings.queue_socket)) <= 100
    assert " " not in settings.queue_url
    assert str(tmp_path / folder.strip() / "muster.db") == settings.database_url.removeprefix("sqlite:///")


class TestOverlay:
    def test_the_environment_wins(self, read) -> None:
        settings = read(MAX_ROWS="5").overlaid({"MAX_ROWS": "9", "INVITE_DAYS": "30"})[0]
        assert (settings.max_rows, settings.invite_days) == (5, 30)

    def test_what_is_blank_or_no_setting_of_a_page_changes_nothing(self, read) -> None:
        settings = read()
        assert settings.overlaid({"MAX_ROWS": "", "SECRET_KEY": "x" * 40, "PORT": "1"}) == (settings, {})

    @pytest.mark.parametrize(
        ("name", "text", "sentence"),
        [
            ("MAX_ROWS", "many", "Type a whole number from 1 to 50000."),
            ("MAIL_FROM", "nobody", "Type an address, such as Muster <muster@example.org>."),
            (
                "MAIL_REPLY_TO",
                "zoë@example.org",
                "Type an address, such as IT help <help@example.org>, in plain letters before the @.",
            ),
            ("MAIL_REPLY_TO_INVITER", "perhaps", "Type one of yes, no."),
            ("UPLOAD_MODE", "maybe", "Type one of replace, add, remove."),
            ("TIME_ZONE", "Mars/Base", "Type the name of a time zone, such as Europe/Berlin or UTC."),
            ("INVITE_SUBJECT", "a\nBcc: b", "Type one line of up to 150 characters."),
            ("INVITE_MESSAGE", "x" * 1001, "Type up to 1,000 characters."),
        ],
    )
    def test_wrong_values_are_told_by_the_environments_rules(self, read, name: str, text: str, sentence: str) -> None:
        assert read().overlaid({name: text})[1] == {name: sentence}
        with pytest.raises(ConfigError, match=f"MUSTER_{name} is"):
            read(**{name: text})

    def test_what_no_longer_goes_is_passed_over_when_it_is_read(self, read) -> None:
        assert read().overlaid({"MAX_ROWS": "many", "INVITE_DAYS": "3"})[0].invite_days == 3
