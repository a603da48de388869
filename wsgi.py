"""The WSGI app, for a server (`webapp.server`, or another) and for `flask --app wsgi`."""

from webapp import cli
from webapp.app import create_app
from webapp.run import program

app = create_app(program.begin("muster"))
cli.register(app)
