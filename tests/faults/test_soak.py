"""Two thousand mixed requests leave both workers as they were."""

import time

import pytest

from .soak import figures, run, scripted_upstream, server_for


@pytest.mark.slow
def test_a_soak_leaves_nothing_behind() -> None:
    with scripted_upstream() as upstream, server_for(upstream) as server:
        run(server, 300, seed=0)
        time.sleep(1.5)
        before = figures(server)
        outcomes = run(server, 2000)
        time.sleep(1.5)
        after = figures(server)
        assert "Traceback" not in server.log(), server.log()
    assert set(outcomes) == {"good", "faulty", "hostile", "left"}
    assert before.keys() == after.keys(), "no worker died"
    for pid, held in after.items():
        assert held.megabytes - before[pid].megabytes < 8
        assert held.descriptors - before[pid].descriptors < 30
        assert held.greenlets - before[pid].greenlets < 10
        assert held.connections - before[pid].connections < 30
