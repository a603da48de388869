"""How each of our programs begins."""

import os
import sys

from webapp import logs
from webapp.run import data_folder
from webapp.settings.fields import ConfigError
from webapp.settings.settings import Settings


def begin(name: str) -> Settings:
    """Read the settings of the environment and begin to log. Ends the program with one line where a setting is wrong.

    name: of the program, in each line of its log.
    """
    try:
        settings = Settings.from_environment(os.environ)
        data_folder.guard(settings.data_dir)
    except ConfigError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    is_debug = settings.log == "debug"
    logs.set_up(name, settings.log_format, settings.log_file, is_debug=is_debug)
    return settings
