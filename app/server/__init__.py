"""What gunicorn.conf.py sets where that is more than a value.

gunicorn's master runs it before a gevent worker patches the standard library. Whatever binds `ssl` before that
(requests and urllib3, so most of app/) fails in the workers with a RecursionError at its first HTTPS call: import none
of it here.
"""
