"""Settings of signing in with accounts elsewhere: what is refused at the start."""

from __future__ import annotations

from pathlib import Path

import pytest
from webapp.settings.fields import ConfigError
from webapp.settings.settings import Settings

OIDC = {"MUSTER_OIDC_ISSUER": "https://login.example.org", "MUSTER_OIDC_CLIENT_ID": "muster"}
PROXY = {"MUSTER_PROXY_EMAIL_HEADER": "Remote-Email", "MUSTER_PROXY_NETWORKS": "10.0.0.5/32"}


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"MUSTER_OIDC_ISSUER": "https://login.example.org"}, "MUSTER_OIDC_CLIENT_ID is not set"),
        ({"MUSTER_OIDC_CLIENT_ID": "muster"}, "MUSTER_OIDC_ISSUER is not set"),
        ({"MUSTER_OIDC_ONLY": "yes"}, "nobody could sign in"),
        (OIDC | {"MUSTER_OIDC_ISSUER": "http://login.example.org"}, "an https address"),
        (OIDC | {"MUSTER_OIDC_ISSUER": "https://login.microsoftonline.com/common/v2.0"}, "are everybody’s"),
        (OIDC | {"MUSTER_OIDC_ISSUER": "https://login.microsoftonline.com/organizations/v2.0"}, "are everybody’s"),
        (OIDC | {"MUSTER_OIDC_ISSUER": "login.example.org"}, "an https address"),
        (OIDC | {"MUSTER_OIDC_SCOPES": "email profile"}, "openid among them"),
        (OIDC | {"AUTHLIB_INSECURE_TRANSPORT": "1"}, "AUTHLIB_INSECURE_TRANSPORT is set"),
        (OIDC | {"MUSTER_CA_FILE": __file__}, "a file of certificates"),
        (OIDC | {"MUSTER_CA_FILE": "/no/such/file"}, "a file of certificates"),
        ({"MUSTER_PROXY_EMAIL_HEADER": "Remote-Email"}, "MUSTER_PROXY_NETWORKS is not set"),
        ({"MUSTER_PROXY_NETWORKS": "10.0.0.0/8"}, "MUSTER_PROXY_EMAIL_HEADER is not set"),
        ({"MUSTER_PROXY_NAME_HEADER": "Remote-Name"}, "MUSTER_PROXY_EMAIL_HEADER is not set"),
        (PROXY | {"MUSTER_PROXY_NETWORKS": "0.0.0.0/0"}, "addresses or networks of that proxy"),
        (PROXY | {"MUSTER_PROXY_NETWORKS": "the proxy"}, "addresses or networks of that proxy"),
        (PROXY | {"MUSTER_PROXY_EMAIL_HEADER": "Remote_Email:"}, "the name of a header"),
        (PROXY | {"MUSTER_PROXY_SIGN_OUT_URL": "//evil.example"}, "an https address, or a path"),
    ],
)
def test_a_start_that_would_not_be_safe(tmp_path: Path, environ: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Settings.from_environment({"MUSTER_DATA_DIR": str(tmp_path / "data"), **environ})
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("environ", [OIDC, PROXY, OIDC | PROXY | {"MUSTER_OIDC_ISSUER": "http://localhost:9400"}])
def test_a_start_that_is(tmp_path: Path, environ: dict[str, str]) -> None:
    assert Settings.from_environment({"MUSTER_DATA_DIR": str(tmp_path / "data"), **environ})
