"""Which metrics an app gets, and what the Prometheus ones count."""

import subprocess
import sys

from app.metrics import NoMetrics, metrics
from app.settings import Settings


def test_nothing_is_counted_by_default() -> None:
    assert isinstance(metrics(Settings()), NoMetrics)


def test_the_client_library_is_loaded_only_where_a_port_is_set() -> None:
    code = (
        "import sys\nfrom app import create_app\nfrom app.settings import Settings\n"
        "create_app(Settings(upstream_base='sandbox:'))\nassert 'prometheus_client' not in sys.modules\n"
        "create_app(Settings(upstream_base='sandbox:', metrics_port=1))\nassert 'prometheus_client' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
