"""The WSGI app, for a server (`webapp.server`, or another) and for `flask --app wsgi`."""

from webapp import create_app

app = create_app()
