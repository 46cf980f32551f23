"""`make mutants`: the tests of `_api`, `_records`, `_wait` and `text` against mutants of one function each.

mutmut makes the mutants; `[tool.mutmut]` in pyproject.toml has the modules. Its own command cannot run these
tests: it starts pytest several times in one process, where pytest escapes a backslash in an id a second time,
and the folder of the tests' Airflow is gone. Here pytest collects once, and forks for each mutant. A mutant
meets the tests of its folder that call its function, for example those of `tests/_wait`, the quickest first.

mutmut changes neither code outside functions nor functions with a decorator, and a function that only runs at
import keeps its mutants. The words of a message stay as they are: tests compare codes and data.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import multiprocessing
import os
import random
import re
import shutil
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

import libcst
import pytest
from hypothesis import Phase, settings
from mutmut.mutation.file_mutation import Mutation, combine_mutations_to_source, create_mutations
from mutmut.mutation.trampoline import set_mutant_under_test
from mutmut.state import state
from mutmut.utils.file_utils import walk_mutatable_files

FORK = multiprocessing.get_context("fork")


def is_message(mutation: Mutation) -> bool:
    """Return True for a change in the words of a message."""
    node = mutation.original_node
    text = node.value if isinstance(node, libcst.SimpleString) and not node.prefix else ""
    return bool(re.search(r"\w( |\.\W$)", text))


def mutate(folder: Path) -> dict[str, Path]:
    """Write the modules with all their mutants, and return the module of each mutant."""
    modules, messages = dict[str, Path](), 0
    for path in walk_mutatable_files():
        module, mutations, *ignored = create_mutations(str(path), path.read_text(encoding="utf-8"))
        in_functions = [mutation for mutation in mutations if mutation.contained_by_top_level_function]
        kept = [mutation for mutation in in_functions if not is_message(mutation)]
        messages += len(in_functions) - len(kept)
        mutated = combine_mutations_to_source(module, kept, *ignored)
        (folder / path).write_text(mutated.code, encoding="utf-8")
        modules |= {".".join((*path.with_suffix("").parts, name)): path for name in mutated.mutant_names}
    print(f"{len(modules)} mutants; {messages} more change the words of a message and are left out")
    return modules


def diff(mutant: str) -> str:
    """Return the changed lines of a mutant."""
    module, _, name = mutant.rpartition(".")
    variants = getattr(importlib.import_module(module), f"mutants_{name.rpartition('_')[0]}")
    before, after = (inspect.getsource(variants[each]).splitlines() for each in ("_mutmut_orig", name))
    changed = difflib.unified_diff(before, after, n=0, lineterm="")
    return "\n".join(f"    {line}" for line in changed if re.match(r"[-+](?![-+]| *def | *#)", line))


def tests_of(path: Path) -> str:
    """Return the tests of a module, for example `tests/_wait` for `_wait/poller.py`."""
    return f"tests/{path.parts[1]}" if len(path.parts) > 2 else f"tests/test_{path.name}"


class Mutants:
    """A plugin of pytest that runs the collected tests against a sample of the mutants."""

    def __init__(self, modules: dict[str, Path], sample: int) -> None:
        self.modules = modules
        self.sample = random.Random(20261128).sample(sorted(modules), min(sample, len(modules)))

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run the tests without a mutant, then against each mutant, and print a table."""
        session.config.pluginmanager.unregister(name="terminalreporter")
        receiver, sender = FORK.Pipe(duplex=False)
        FORK.Process(target=lambda: sender.send(run(session.items, "stats"))).start()
        sender.close()
        try:
            usual_s, called = receiver.recv()
        except EOFError:
            raise pytest.UsageError("The tests fail without a mutant.") from None
        results: dict[str, Counter[str]] = defaultdict(Counter)
        for number, mutant in enumerate(self.sample, start=1):
            path, function = self.modules[mutant], mutant.rpartition("__mutmut")[0]
            items = [item for item in session.items if function in called[item.nodeid]]
            items = [item for item in items if item.nodeid.startswith(tests_of(path))]
            items.sort(key=lambda item: usual_s[item.nodeid])
            result = try_mutant(mutant, items, sum(usual_s[item.nodeid] for item in items))
            results[str(path)][result] += 1
            if result != "killed":
                print(f"{number}: {mutant}: {result}, {len(items)} tests\n{diff(mutant)}", flush=True)
        total = sum(results.values(), Counter[str]())
        print(f"{'':50}  killed survived  timeout")
        for label, counts in (*sorted(results.items()), ("all", total)):
            print(f"{label:50}{counts['killed']:8}{counts['survived']:9}{counts['timeout']:9}")
        print(f"killed, timeouts among them: {1 - total['survived'] / total.total():.1%}")
        return True


def run(items: list[pytest.Item], mutant: str) -> tuple[dict[str, float], dict[str, set[str]]]:
    """Run tests until one fails; return the time of each, and the functions that it called."""
    times_s, called = {}, {}
    os.dup2(os.dup2(os.open(os.devnull, os.O_WRONLY), 1), 2)
    set_mutant_under_test(mutant)
    for item in items:
        # With its cache, few tests would call the functions of a pattern.
        sys.modules["airflow_provider_twinsync._api.redaction"]._pattern.cache_clear()
        state()._stats.clear()
        began_s = time.monotonic()
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
        if item.session.testsfailed:
            os._exit(1)
        times_s[item.nodeid], called[item.nodeid] = time.monotonic() - began_s, set(state()._stats)
    return times_s, called


def try_mutant(mutant: str, items: list[pytest.Item], usual_s: float) -> str:
    """Run tests against a mutant; return `killed`, `survived` or `timeout`."""
    process = FORK.Process(target=run, args=(items, mutant))
    process.start()
    process.join(20 + 10 * usual_s)
    result = {None: "timeout", 0: "survived"}.get(process.exitcode, "killed")
    process.kill()
    return result


def main() -> int:
    """Make the mutants, and run the tests."""
    settings.register_profile("mutants", derandomize=True, phases=[Phase.explicit, Phase.generate])
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree("airflow_provider_twinsync", Path(folder, "airflow_provider_twinsync"))
        plugin = Mutants(mutate(Path(folder)), int(os.environ.get("SAMPLE") or 300))
        sys.path.insert(0, folder)
        options = ["-q", "-s", "-p", "no:cacheprovider", "-m", "not slow", "--hypothesis-profile=mutants"]
        options += sorted({tests_of(path) for path in plugin.modules.values()})
        return pytest.main(options, plugins=[plugin])


if __name__ == "__main__":
    sys.exit(main())
