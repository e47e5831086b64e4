"""Two thousand mixed requests leave the worker as it was."""

import time

from .soak import figures, run, scripted_upstream, server_for


def test_a_soak_leaves_nothing_behind() -> None:
    with scripted_upstream() as upstream, server_for(upstream) as server:
        run(server, 400, seed=0)
        time.sleep(2.5)
        before = figures(server)
        outcomes = run(server, 2000)
        time.sleep(2.5)
        after = figures(server)
        assert "Traceback" not in server.log(), server.log()
    assert set(outcomes) == {"good", "faulty", "hostile", "left"}
    assert after.megabytes - before.megabytes < 8
    assert after.descriptors - before.descriptors < 30
    assert after.greenlets - before.greenlets < 10
    assert after.connections - before.connections < 30
