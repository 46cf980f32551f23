"""What this package needs of an installation: named where it is missing, with the command that mends it.

pip sees to it when it installs, but not with ``--no-deps``, nor when Airflow is changed beneath us. Every
room that imports Airflow at its top imports this one first, so that a person reads what is too old, and not
what name could not be imported. Where all is well that costs nothing: versions are looked up after an import
has failed, and in the senders.
"""

from __future__ import annotations

_DISTRIBUTION = "airflow-provider-twinsync"


def unmet() -> str:
    """Say which of the requirements in the package's metadata are missing or too old; empty if none is."""
    # Not at the top: they are slow to import, and a DAG file does not need them.
    from importlib.metadata import PackageNotFoundError, requires, version

    try:
        from packaging.requirements import Requirement
        from packaging.version import Version

        needed = [Requirement(line) for line in requires(_DISTRIBUTION) or []]
    except ModuleNotFoundError:  # no Airflow at all, or sources that are not installed: nothing more is known
        return ""
    missing = {}
    for one in needed:
        if one.marker is None or one.marker.evaluate({"extra": ""}):
            try:
                found = version(one.name)
                # As to Airflow's own providers, a release candidate counts as its release.
                is_met = Version(found).base_version in one.specifier
            except PackageNotFoundError:
                found, is_met = "none", False
            except Exception:  # a version that cannot be read: the import's own error says more
                found, is_met = "", True
            if not is_met:
                missing[f"{one.name}{one.specifier}"] = found
    if not missing:
        return ""
    needs = ", ".join(f"{wanted} (here: {found})" for wanted, found in missing.items())
    mended = " ".join(f"'{wanted}'" for wanted in missing)
    return f"{_DISTRIBUTION} {version(_DISTRIBUTION)} needs {needs}. Mend it with: pip install {mended}"


try:
    # The youngest of the names that we need. Under an older Airflow its provider raises a RuntimeError.
    from airflow.providers.common.compat.sdk import conf  # noqa: F401
except (ImportError, RuntimeError):
    if _said := unmet():
        raise ImportError(_said) from None
    raise
