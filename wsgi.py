"""The WSGI application that `gunicorn -c gunicorn.conf.py` and `flask run` serve."""

import logging
import sys
from pathlib import Path

from app import create_app
from app.dotenv_file import environment
from app.settings import Settings, SettingsError

# gunicorn's Arbiter.APP_LOAD_ERROR: the master ends too; for any other code it starts workers for ever.
APP_LOAD_ERROR = 4

try:
    environ, cautions = environment(Path(__file__).with_name(".env"))
    app = create_app(Settings.from_env(environ))
except SettingsError as error:
    sys.stderr.write(f"anthropic-proxy cannot start:\n{error}\n")
    sys.exit(APP_LOAD_ERROR)
for caution in cautions:
    logging.getLogger("anthropic_proxy").warning(caution)
