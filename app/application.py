"""The WSGI application: Flask with every view, hook and object of the service."""

from __future__ import annotations

import logging
import os

from flask import Flask

from app.access import cautions
from app.blueprints import chat_completions, cors, count_tokens, failures, health, messages, models
from app.current import EXTENSION
from app.dispatch import Service
from app.logs import configure_logging
from app.metrics.metrics import metrics
from app.profiles.lessons import Lessons
from app.services import Services
from app.settings import Settings
from app.thinking.store import store_for
from app.upstream import Upstream


def create_app(settings: Settings | None = None) -> Flask:
    """The WSGI application; without `settings` they come from the environment.

    Raises SettingsError naming every unusable environment key.
    """
    settings = settings or Settings.from_env(os.environ)
    configure_logging(settings.log_level, settings.log_format)
    for caution in cautions(settings):
        logging.getLogger("anthropic_proxy").warning(caution)
    app = Service(__name__, static_folder=None)
    # No redirects, which few clients follow with a POST, and no answers to OPTIONS but those of cors.py.
    app.url_map.strict_slashes = app.url_map.merge_slashes = False
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    counted = metrics(settings)
    app.extensions[EXTENSION] = Services(
        settings, Upstream(settings, counted.retried), Lessons(), store_for(settings.thinking_store), counted
    )
    for module in (chat_completions, messages, models):
        app.register_blueprint(module.blueprint)
    count_tokens.register(app, settings)
    health.register(app, settings)
    if settings.cors_origins:
        cors.register(app)
    failures.register(app)
    app.open_fast_path(chat_completions.create_chat_completion, messages.create_message)
    return app
