"""The WSGI application that `gunicorn -c gunicorn.conf.py` and `flask run` serve."""

import sys
from pathlib import Path

from dotenv import load_dotenv

from app import create_app
from app.settings import SettingsError

# gunicorn's Arbiter.APP_LOAD_ERROR: the master ends too; for any other code it starts workers for ever.
APP_LOAD_ERROR = 4

load_dotenv(Path(__file__).with_name(".env"))
try:
    app = create_app()
except SettingsError as error:
    sys.stderr.write(f"anthropic-proxy cannot start:\n{error}\n")
    sys.exit(APP_LOAD_ERROR)
