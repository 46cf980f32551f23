"""Small files, local or in a store."""

from __future__ import annotations

from airflow_provider_twinsync._storage.addresses import local_path, open_store


def read_file(address: str, limit_bytes: int, subject: str) -> bytes:
    """Return the bytes of a file.

    :param address: a local path, or an address that ``ObjectStoragePath`` understands.
    :param limit_bytes: the most bytes of the file.
    :param subject: a code and the name of the argument, for the error.
    :raises UsageError: there is no such kind of store, or no such connection.
    :raises Exception: of any store: the file cannot be read.
    :raises ValueError: it is too large.
    """
    path = local_path(address)
    if path is None:
        store, place = open_store(address, address, subject, "read")
        file = store.open(place.path, "rb")
    else:
        file = path.open("rb")
    with file:
        found: bytes = file.read(limit_bytes + 1)
    if len(found) > limit_bytes:
        raise ValueError(f"it has more than {limit_bytes:,} bytes")
    return found
