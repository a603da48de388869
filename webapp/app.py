"""The wiring of the WSGI app, read top to bottom."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from flask import Flask, request
from flask_wtf.csrf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import IntegerConverter

from webapp.core.lists.paging import LARGEST
from webapp.db import db as database
from webapp.db import engine_options, tune
from webapp.http import access_log, compression, origins, web
from webapp.layout import TOP
from webapp.settings.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

csrf = CSRFProtect()


def create_app(settings: Settings | None = None) -> Flask:
    """The WSGI app. settings: from the environment unless given. Raises ConfigError on a wrong one."""
    from webapp import api, views
    from webapp.http import auth, errors

    settings = settings or Settings.from_environment(os.environ)
    app = Portal("webapp", template_folder=TOP / "templates", static_folder=TOP / "static")
    app.extensions["muster_settings"] = settings
    app.config.update(_flask_config(settings))
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True

    # a number in an address, as large as the database takes one
    app.url_map.converters["int"] = partial(IntegerConverter, max=LARGEST)  # type: ignore[assignment]
    database.init_app(app)
    with app.app_context():
        tune(database.engine)

    _register_requests(app)
    csrf.init_app(app)
    app.before_request(origins.check_origin)
    for blueprint in [*views.BLUEPRINTS, *api.BLUEPRINTS]:
        app.register_blueprint(blueprint)
    for blueprint in api.BLUEPRINTS:
        csrf.exempt(blueprint)  # each by itself; no cookie counts there
    errors.register(app)
    web.register_words(app)
    app.jinja_env.globals.update(proves_elsewhere=auth.proves_elsewhere, is_proven=auth.is_proven)
    web.register_static(app)

    if settings.prefix:
        app.wsgi_app = under_prefix(app.wsgi_app, settings.prefix)  # type: ignore[assignment, method-assign]
    if settings.trusted_proxies:
        n = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=n, x_proto=n, x_host=n)  # type: ignore[method-assign]
    return app


def _flask_config(settings: Settings) -> dict[str, object]:
    return {
        "SECRET_KEY": settings.secret_key,
        "SECRET_KEY_FALLBACKS": list(settings.secret_key_fallbacks),
        "SQLALCHEMY_DATABASE_URI": settings.database_url,
        "SQLALCHEMY_ENGINE_OPTIONS": engine_options(settings.database_url, settings.threads),
        "MAX_CONTENT_LENGTH": settings.max_upload_mb * 1024 * 1024 + 64 * 1024,
        "SESSION_COOKIE_NAME": _cookie_name(settings),
        "SESSION_COOKIE_SECURE": settings.https,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_PATH": "/",
        # what browsers keep at most: the session's own limits decide
        "PERMANENT_SESSION_LIFETIME": timedelta(days=400),
        # each sign-in renews the cookie, and a session ends long before it
        "SESSION_REFRESH_EACH_REQUEST": False,
        "WTF_CSRF_TIME_LIMIT": None,
        "WTF_CSRF_SSL_STRICT": False,  # it wants a Referer, which browsers and proxies may leave out: see `origins`
    }


def _cookie_name(settings: Settings) -> str:
    """One for each path: two portals under one host name keep their sessions apart."""
    name = "__Host-muster" if settings.https else "muster"
    if settings.prefix:
        name += f"-{hashlib.sha256(settings.prefix.encode()).hexdigest()[:8]}"
    return name


def _register_requests(app: Flask) -> None:
    from webapp.http import sso
    from webapp.http.api import caller
    from webapp.views.accounts import two_factor

    app.before_request(access_log.begin_request)
    app.after_request(access_log.end_request)  # these run from below: it is the last
    app.before_request(origins.check_host)
    app.before_request(web.limit_form)
    app.before_request(caller.load_caller)
    app.before_request(web.refuse_nul)
    app.before_request(sso.follow_proxy)
    app.before_request(two_factor.demand)
    app.before_request(web.check_permission)
    app.after_request(compression.compress)
    app.after_request(caller.say_allowance)
    app.after_request(web.security_headers)


class Portal(Flask):
    """Flask with a log of crashes that names no address: an address may hold the token of an invitation."""

    def log_exception(self, exc_info: Any) -> None:
        self.logger.error(
            "Exception in %s [%s]", request.endpoint, request.method, exc_info=exc_info
        )


def under_prefix(app: WSGIApplication, prefix: str) -> WSGIApplication:
    """The portal below a path, such as /muster, whether the reverse proxy strips that path or leaves it."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        environ["SCRIPT_NAME"] = prefix
        if path == prefix or path.startswith(prefix + "/"):
            environ["PATH_INFO"] = path.removeprefix(prefix) or "/"
        return app(environ, start_response)

    return answer
