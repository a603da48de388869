"""The WSGI app, for a server (`webapp.server`, or another) and for `flask --app wsgi`."""

import os
import sys

from webapp import cli, create_app, logs
from webapp.settings.settings import ConfigError, Settings

os.umask(0o077)  # what is made in the data folder is for this user alone
try:
    settings = Settings.from_environment(os.environ)
except ConfigError as error:
    sys.exit(str(error))
logs.set_up("muster", settings.log_format)
app = create_app(settings)
cli.register(app)
