"""Check the rows of a plan as a submit would, and find the jobs of each row. Submits nothing."""

from __future__ import annotations

import os
import posixpath
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from airflow_provider_twinsync._api.shown import shown_destination
from airflow_provider_twinsync._api.submit import build_submit, fingerprint
from airflow_provider_twinsync._api.validation import checked_text, warnings_of
from airflow_provider_twinsync._api.voice_check import checked_pronouncer, refuse_misspelt
from airflow_provider_twinsync._content.extra import needs_content
from airflow_provider_twinsync._content.length import expected_s
from airflow_provider_twinsync._content.photos import open_photo
from airflow_provider_twinsync._content.sheet.plan import refuse_equal
from airflow_provider_twinsync._download.destination import LocalPlace, find_place
from airflow_provider_twinsync.exceptions import UsageError
from airflow_provider_twinsync.text import count_words, split_text
from airflow_provider_twinsync.voices import all_voices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airflow_provider_twinsync._api.photo import Photo
    from airflow_provider_twinsync._api.settings import Settings
    from airflow_provider_twinsync._content.sheet.plan import PlannedRow
    from airflow_provider_twinsync._download.destination import Place

#: A store answers a request in about 50 ms.
_READERS = 8


class RowChecks:
    """The checks of all rows; each different photo, voice and folder is checked once.

    :param settings_of: returns the settings of a connection, by its id, or raises ``UsageError``.
    """

    def __init__(self, settings_of: Callable[[str], Settings]) -> None:
        self._settings_of = settings_of
        self._photos: dict[tuple[str, str], Photo | UsageError] = {}
        #: The error of each voice, or the warnings about it.
        self._voices: dict[tuple[str, bool], UsageError | list[str]] = {}
        self._checked: set[str] = set()
        #: The places of all destinations, by the destination.
        self.places: dict[str, Place] = {}

    def check(self, rows: Iterable[PlannedRow]) -> None:
        """Add the errors of all rows, and set the words, the jobs, the photo and the place of each.

        :raises UnavailableError: a photo cannot be read now.
        :raises UsageError: a library is missing.
        """
        rows = list(rows)
        self._open_photos(rows)
        for row in rows:
            self._check(row)
        refuse_equal(rows, "TS168", "destination", lambda row: row.place)

    def _check(self, row: PlannedRow) -> None:
        arguments = row.arguments
        settings = self._tried(row, "twinsync_conn_id", self._settings_of)
        photo = self._tried(row, "image_url", lambda _: self._photo_of(row)) if settings else None
        voice = self._tried(row, "pronouncer", lambda name: self._voice(name, settings))
        parts = (
            self._tried(row, "text", lambda text: _parts(text, settings, str(voice))) if settings else None
        )
        place = self._tried(row, "destination", self._place)
        if parts:
            row.words = count_words(arguments["text"])
            row.expected_s = expected_s(row.words, str(voice))
        if photo:
            row.photo = photo.shown
        if place:
            row.place = _comparable(place)
        if not (settings and photo and voice and parts and place):
            return
        for part in parts:
            request = build_submit(
                text=part,
                image_url=photo,
                pronouncer=voice,
                key=settings.key,
                text_limit_words=settings.text_limit_words,
                any_voice=settings.voices == "any",
            )
            assert request.form  # noqa: S101  # for the type checker
            row.inputs.append(
                fingerprint(settings.url, request.form["text"], photo.identity, request.form["pronouncer"])
            )
        # The nearest names of an unknown voice take 20 ms to find.
        of_voice = self._voices[voice, settings.voices == "any"]
        assert isinstance(of_voice, list)  # noqa: S101  # for the type checker
        row.note = " ".join(of_voice or warnings_of(parts[0], voice, settings.text_limit_words))

    @staticmethod
    def _tried(row: PlannedRow, column: str, check: Callable[[Any], Any]) -> Any:
        """Return the result of a check, or None after its error, or without the argument."""
        if column not in row.arguments:
            return None
        try:
            return check(row.arguments[column])
        except UsageError as error:
            if error.code == "TS140":  # a library is missing, for all rows
                raise
            row.refuse(error.code, column, str(error).partition(" ")[2])
            return None

    def _open_photos(self, rows: list[PlannedRow]) -> None:
        """Open each different photo once: the first of each store here, and the others in threads.

        The first one looks up the connection of the store, which Airflow's tasks do in one thread.
        """
        wanted: dict[tuple[str, str], Settings] = {}
        for row in rows:
            if "image_url" in row.arguments and (conn := row.arguments.get("twinsync_conn_id")):
                try:
                    wanted.setdefault((conn, row.arguments["image_url"]), self._settings_of(conn))
                except UsageError:
                    continue  # the check of the row meets it again
        seen: set[str] = set()
        later = []
        for key, settings in wanted.items():
            store = "/".join(key[1].split("/")[:3])
            if store in seen:
                later.append((key, settings))
            else:
                seen.add(store)
                self._photos[key] = _opened(settings, key[1])
        with ThreadPoolExecutor(_READERS) as pool:
            found = pool.map(lambda one: _opened(one[1], one[0][1]), later)
            self._photos.update(zip((key for key, _ in later), found, strict=True))

    def _photo_of(self, row: PlannedRow) -> Photo:
        found = self._photos[row.arguments["twinsync_conn_id"], row.arguments["image_url"]]
        if isinstance(found, UsageError):
            raise found
        return found

    def _voice(self, name: str, settings: Settings | None) -> str:
        key = (voice := checked_pronouncer(name), settings is None or settings.voices == "any")
        if key not in self._voices:
            try:
                if not key[1]:
                    refuse_misspelt(voice, all_voices())
                self._voices[key] = warnings_of("", voice, 1)
            except UsageError as error:
                self._voices[key] = error
        if isinstance(found := self._voices[key], UsageError):
            raise found
        return voice

    def _place(self, destination: str) -> Place:
        """Return the place of a destination that can be written.

        :raises UsageError: it cannot be written, or leaves its folder.
        """
        if ".." in destination.replace("\\", "/").split("/"):
            raise UsageError(
                f"TS179 destination {shown_destination(destination)} leaves its folder with '..': give the "
                "address without it."
            )
        place = self.places[destination] = find_place(destination)
        is_local = isinstance(place, LocalPlace)
        # A folder, or a bucket: the check of a folder reads the names of all of its files.
        folder = posixpath.dirname(_comparable(place)) if is_local else "/".join(destination.split("/")[:3])
        if folder not in self._checked:
            place.check()
            self._checked.add(folder)
        elif isinstance(place, LocalPlace):
            place.check_file()
        return place


def _opened(settings: Settings, image_url: str) -> Photo | UsageError:
    try:
        return open_photo(settings, image_url)
    except UsageError as error:
        return error


def _parts(text: str, settings: Settings, language: str) -> list[str]:
    """Return the text of each job.

    :raises UsageError: a part cannot be spoken, or a library is missing.
    """
    parts = split_text(text, settings.text_limit_words, language=language)
    if len(parts) > 1 and find_spec("av") is None:
        raise needs_content("A text of several jobs")
    return [checked_text(part, settings.text_limit_words) for part in parts]


def _comparable(place: Place) -> str:
    """Return the address of a place without ``.`` and double slashes."""
    if isinstance(place, LocalPlace):
        return os.path.realpath(place.address)
    scheme, _, path = place.address.partition("://")
    return f"{scheme}://{posixpath.normpath(path)}"
