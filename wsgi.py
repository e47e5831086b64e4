"""The WSGI application that `gunicorn -c gunicorn.conf.py` and `flask run` serve."""

import logging
import os
import sys
from pathlib import Path

from app import create_app
from app.dotenv_file import read
from app.settings import Settings, SettingsError

# gunicorn's Arbiter.APP_LOAD_ERROR: the master ends too; for any other code it starts workers for ever.
APP_LOAD_ERROR = 4

try:
    # Read, not loaded: its keys stay out of this process's environment, which every program it starts would inherit.
    from_file, cautions = read(Path(__file__).with_name(".env"))
    # An empty variable counts as unset and hides nothing.
    given = {key: value for key, value in os.environ.items() if value.strip()}
    app = create_app(Settings.from_env(from_file | given))
except SettingsError as error:
    sys.stderr.write(f"anthropic-proxy cannot start:\n{error}\n")
    sys.exit(APP_LOAD_ERROR)
for caution in cautions:
    logging.getLogger("anthropic_proxy").warning(caution)
