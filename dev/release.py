"""`make dist`: build the files of a release, and check them. Nothing is uploaded.

The sdist has all files of the repository, tests, docs and examples too: a packager can run everything.
The wheel holds the package, its type marker and its licence, and nothing else. Both are built
again elsewhere and compared byte for byte: from the same commit anyone can build the files that were
published.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from datetime import date
from pathlib import Path

from dev import CHECKOUT

PACKAGE = "airflow_provider_twinsync"

#: The environment of another machine: no file of the release may depend on it.
ELSEWHERE = {"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "PYTHONHASHSEED": "1"}


class ReleaseError(Exception):
    """A reason not to release this."""


def main(arguments: list[str] | None = None) -> int:
    """Build into dist/; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m dev.release", description=__doc__.splitlines()[0])
    parser.add_argument("--constraints", type=Path, required=True, help="the pins that the SBOM lists")
    parser.add_argument("--tag", help="the tag of the release: v and the version")
    args = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory(prefix="twinsync-dist-") as folder:
            release(Path(folder), args.constraints.resolve(), args.tag)
    except ReleaseError as e:
        print(f"error: {e}", file=sys.stderr)
        return 1
    return 0


def release(folder: Path, constraints: Path, tag: str | None) -> None:
    """Build and check in a temporary folder; move the checked files to dist/.

    :raises ReleaseError: if a check fails.
    """
    files = [name for name in run("git", "ls-files", "-z").split("\0") if name]
    os.environ["SOURCE_DATE_EPOCH"] = run("git", "log", "-1", "--format=%ct").strip()

    sdist, wheel = build(CHECKOUT, folder / "dist")
    version = wheel.name.split("-")[1]
    check_changelog(version, tag)
    say(f"version {version} is that of the changelog" + (" and of the tag" if tag else ""))

    info = f"{PACKAGE}-{version}.dist-info"
    of_wheel = {f"{info}/{name}" for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt")}
    of_wheel |= {f"{info}/licenses/LICENSE", f"{PACKAGE}/py.typed"}
    check_contents(wheel, of_wheel | {name for name in files if name.startswith(f"{PACKAGE}/")})
    check_contents(sdist, {"PKG-INFO", *files})
    say("the wheel holds the package, py.typed and the licence; the sdist holds the repository")

    copy(files, folder / "tree")
    for built, again in zip(
        (sdist, wheel), build(folder / "tree", folder / "again", env=ELSEWHERE, umask=0o077), strict=True
    ):
        check_same(built, again, "from a copy of the tree, with other times, permissions and locale")
    check_same(wheel, build(sdist, folder / "from-sdist")[0], "from the sdist")
    say("the same bytes from a copy of the tree elsewhere; the same wheel from the sdist")

    module = (sys.executable, "-m")
    run(*module, "twine", "check", "--strict", sdist, wheel)
    run(*module, "check_wheel_contents", wheel)
    run(*module, "validate_pyproject", CHECKOUT / "pyproject.toml")
    say("twine check --strict, check-wheel-contents, validate-pyproject")

    sbom = folder / "dist" / f"{PACKAGE}-{version}.cdx.json"
    count = write_sbom(sbom, version, constraints, folder / "runtime")
    say(f"a valid CycloneDX SBOM of the {count} packages it runs with on Python 3.{sys.version_info.minor}")

    dist = CHECKOUT / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    dist.mkdir()
    print()
    for path in (sdist, wheel, sbom):
        shutil.copyfile(path, dist / path.name)
        print(f"dist/{path.name:<50} {path.stat().st_size:>9,} bytes  sha256 {digest(path.read_bytes())}")


def say(what: str) -> None:
    """Print a check that passed."""
    print(f"  ok  {what}", flush=True)


def run(*command: object, env: dict[str, str] | None = None, umask: int = -1) -> str:
    """Run a program in the checkout; return its output.

    :raises ReleaseError: with its output, if it fails.
    """
    words = [str(word) for word in command]
    done = subprocess.run(
        words,
        cwd=CHECKOUT,
        env={**os.environ, **(env or {})},
        umask=umask,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    if done.returncode != 0:
        raise ReleaseError(f"{' '.join(words)} failed:\n{done.stdout}")
    return done.stdout


def build(source: Path, out: Path, env: dict[str, str] | None = None, umask: int = -1) -> list[Path]:
    """Build a tree's sdist and wheel, or an sdist's wheel, with the pinned backend; give them so."""
    uv = (sys.executable, "-m", "uv", "build", "--no-build-isolation", "--python", sys.executable)
    what = ("--sdist", "--wheel") if source.is_dir() else ("--wheel",)
    run(*uv, *what, "--out-dir", out, source, env=env, umask=umask)
    return [*out.glob("*.tar.gz"), *out.glob("*.whl")]


def check_changelog(version: str, tag: str | None) -> None:
    """Refuse a version of which the changelog, or the tag, knows nothing."""
    text = (CHECKOUT / "CHANGELOG.md").read_text(encoding="utf-8")
    found = re.search(r"^## \[(.+?)\] - (.+)$", text, flags=re.MULTILINE)
    if found is None or found[1] != version:
        raise ReleaseError(
            f"the version is {version}, but CHANGELOG.md begins with {found[0] if found else 'none'!r}: "
            f"write `## [{version}] - unreleased`, or change __version__"
        )
    if tag is None:
        return
    if tag != f"v{version}":
        raise ReleaseError(f"the tag is {tag}, but the version is {version}: its tag is v{version}")
    try:
        date.fromisoformat(found[2])
    except ValueError:
        raise ReleaseError(
            f"a release has a date, but CHANGELOG.md says {found[0]!r}: "
            f"write `## [{version}] - {date.today()}`"
        ) from None


def check_contents(archive: Path, wanted: set[str]) -> None:
    """Refuse an archive with other files than these."""
    found = set(members(archive))
    wrong = [f"{name} is missing" for name in sorted(wanted - found)]
    wrong += [f"{name} does not belong there: add it to git, or ignore it" for name in sorted(found - wanted)]
    if wrong:
        raise ReleaseError(f"{archive.name} is not what it should be:\n  " + "\n  ".join(wrong))


def check_same(built: Path, again: Path, how: str) -> None:
    """Refuse a file that a second build changes."""
    if built.read_bytes() == again.read_bytes():
        return
    one, other = members(built), members(again)
    differ = sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
    raise ReleaseError(
        f"{built.name} is another file when it is built {how}. "
        f"It differs in {', '.join(differ) or 'the order, times or permissions of its files'}"
    )


def members(archive: Path) -> dict[str, str]:
    """Return the files in an archive with their digests, without the top folder of an sdist."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return {name: digest(wheel.read(name)) for name in wheel.namelist()}
    with tarfile.open(archive) as sdist:
        return {
            member.name.partition("/")[2]: digest(file.read())
            for member in sdist.getmembers()
            if (file := sdist.extractfile(member))
        }


def digest(content: bytes) -> str:
    """Return the SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def copy(files: list[str], to: Path) -> None:
    """Lay the tree elsewhere, as it might come out of another checkout."""
    for name in files:
        source, target = CHECKOUT / name, to / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        target.chmod(0o700 if os.access(source, os.X_OK) else 0o600)
        os.utime(target, (1_000_000_000, 1_000_000_000))


def write_sbom(sbom: Path, version: str, constraints: Path, runtime: Path) -> int:
    """List the package and its dependencies, pinned as tested, from an environment with nothing else.

    :return: the number of packages.
    """
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    uv = (sys.executable, "-m", "uv")
    python = runtime / "bin" / "python"
    run(*uv, "venv", "--python", sys.executable, runtime)
    pinned = ("--constraint", constraints, "--requirement", "pyproject.toml")
    run(*uv, "pip", "install", "--python", python, *pinned)
    cyclonedx = (sys.executable, "-m", "cyclonedx_py", "environment", "--output-reproducible", "--sv", "1.6")
    root = ("--pyproject", "pyproject.toml", "--mc-type", "library")
    run(*cyclonedx, *root, "--no-validate", "--output-file", sbom, python)
    bom = json.loads(sbom.read_text(encoding="utf-8"))
    # The tool does not find a version that pyproject.toml leaves to the build.
    bom["metadata"]["component"]["version"] = version
    text = json.dumps(bom, indent=2, ensure_ascii=False) + "\n"
    if error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise ReleaseError(f"the SBOM is not valid: {error}")
    sbom.write_text(text, encoding="utf-8")
    return len(bom["components"])


if __name__ == "__main__":
    sys.exit(main())
