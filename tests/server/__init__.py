"""Tests of what gunicorn.conf.py sets."""
