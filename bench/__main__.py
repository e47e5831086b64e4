"""`python -m bench`: start everything, measure the rows, print the table."""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from pathlib import Path

from bench import peers
from bench.checks import WrongAnswer
from bench.load import LoadError
from bench.profiling import profile
from bench.rows import ROWS, Conditions, Row
from bench.table import Table, machine
from bench.targets import ROOT, Target, Unavailable, certificate_in, direct, proxy, upstream_running


def main(arguments: list[str]) -> int:
    """The exit code: 1 if this project gave a wrong answer, 2 for a wrong option."""
    options = _options(arguments)
    if options.install is not None:
        return _install(options.install or list(peers.PEERS))
    try:
        return _run(options)
    except Unavailable as reason:
        _say(str(reason))
        return 1


def _run(options: argparse.Namespace) -> int:
    rows = [row for row in ROWS if not options.rows or row.name in options.rows]
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True)))
        certificate = certificate_in(scratch)
        upstream_port, tls_port = stack.enter_context(upstream_running(certificate))
        conditions = Conditions(upstream_port, options.seconds)
        if options.profile:
            target = stack.enter_context(proxy(conditions.upstream_port, scratch, ROOT, _settings(options)))
            row = next(row for row in ROWS if row.name == options.profile)
            _say(profile(row, target, conditions, scratch).text(options.length))
            return 0
        targets = _targets(stack, options, upstream_port, scratch)
        if options.tls and certificate:
            roots = [ROOT, *(root.resolve() for root in options.compare)]
            settings = _settings(options)
            targets[len(roots) : len(roots)] = [
                stack.enter_context(proxy(tls_port, scratch, root, settings, certificate)) for root in roots
            ]
        elif options.tls:
            _say("skipped TLS: openssl is not installed")
        table = measured(rows, targets, conditions, options.rounds)
    _say(f"\n{machine()}; medians of {options.rounds} rounds of {options.seconds} s\n\n{table.markdown()}")
    for failure in table.failures():
        _say(f"wrong: {failure}")
    return int(any(failure.startswith("proxy,") for failure in table.failures()))


def _options(arguments: list[str]) -> argparse.Namespace:
    names = [row.name for row in ROWS]
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rows", nargs="+", choices=names, metavar="ROW", help=f"of: {', '.join(names)}")
    parser.add_argument("--peers", nargs="*", choices=list(peers.PEERS), default=list(peers.PEERS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2, help="of each round of a closed loop")
    parser.add_argument("--compare", nargs="+", type=Path, default=[], metavar="DIR", help="other checkouts of this")
    parser.add_argument("--tls", action="store_true", help="this project also with an upstream behind TLS")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="settings of this project's own")
    parser.add_argument("--install", nargs="*", choices=list(peers.PEERS), help="install peers, then stop")
    parser.add_argument("--profile", choices=names, metavar="ROW", help="show what a row's CPU time goes to")
    parser.add_argument("--length", type=int, default=40, help="functions that a profile lists")
    return parser.parse_args(arguments)


def _install(names: list[str]) -> int:
    for name in names:
        try:
            peers.install(name)
        except Unavailable as reason:
            _say(f"{name}: {reason}")
    return 0


def _settings(options: argparse.Namespace) -> dict[str, str]:
    return dict(setting.split("=", 1) for setting in options.set)


def _targets(
    stack: contextlib.ExitStack, options: argparse.Namespace, upstream_port: int, scratch: Path
) -> list[Target]:
    """Everything that starts; what does not is named and left out."""
    roots = [ROOT, *(root.resolve() for root in options.compare)]
    found = [stack.enter_context(proxy(upstream_port, scratch, root, _settings(options))) for root in roots]
    for name in options.peers:
        try:
            found.append(stack.enter_context(peers.PEERS[name](upstream_port, scratch)))
        except Unavailable as reason:
            _say(f"skipped {name}: {reason}")
    return [*found, direct(upstream_port)]


def measured(rows: list[Row], targets: list[Target], conditions: Conditions, rounds: int) -> Table:
    """Round by round, every target in turn, so that what else the machine does hits them alike."""
    table = Table(rows, [target.name for target in targets])
    for row in rows:
        for number in range(1 if row.once else rounds):
            for target in targets:
                cell = table.cell(row.name, target.name)
                if cell.failure:
                    continue
                try:
                    if number == 0 and not row.once:
                        row.measure(target, Conditions(conditions.upstream_port, 0.3))
                    value = row.measure(target, conditions)
                except (WrongAnswer, LoadError, OSError, ValueError, KeyError) as error:
                    cell.failure = f"{type(error).__name__}: {error}"[:300]
                    continue
                if value is not None:
                    cell.values.append(value)
        _say(f"{row.name}: " + ", ".join(f"{t.name} {table.cell(row.name, t.name).text(None)}" for t in targets))
    return table


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
