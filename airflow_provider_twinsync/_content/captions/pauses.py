"""Find the pauses in the sound of a video: the times when nothing is louder than the background."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import av
from av.audio.resampler import AudioResampler

from airflow_provider_twinsync._content.captions.timing import Pause

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.container import InputContainer

_RATE = 8_000
_WINDOW = 80
WINDOW_S = _WINDOW / _RATE
#: A gap of so many windows in the sound is no delay of the resampler.
_GAP = 5
#: A shorter silence is part of speech, such as the closed lips of a "p".
_SHORTEST_PAUSE_S = 0.12
#: Speech is this much louder than a pause, 30 dB; in a noisy recording it is 20 dB or less.
_QUIET, _NOISY = 0.03, 0.1


def find_pauses(container: InputContainer, length_s: float) -> list[Pause] | None:
    """Return the pauses, in their order; None for a video without sound, and for one without speech.

    :param container: the open video; its sound is decoded.
    :param length_s: the length of the video: later sound is ignored.
    """
    peaks = _peaks(container, length_s)
    ranked = sorted(peaks)
    loud = ranked[int(len(ranked) * 0.95)] if ranked else 0
    if not loud:
        return None
    background = ranked[len(ranked) // 20]
    limit = min(max(loud * _QUIET, background * 2), loud * _NOISY)
    pauses = []
    began: int | None = 0
    for at, peak in enumerate([*peaks, loud]):
        if peak > limit or at == len(peaks):
            if began is not None and (at - began) * WINDOW_S >= _SHORTEST_PAUSE_S:
                pauses.append(Pause(began * WINDOW_S, at * WINDOW_S))
            began = None
        elif began is None:
            began = at
    return pauses


def _peaks(container: InputContainer, length_s: float) -> list[int]:
    """Return the loudest sample of each window, up to the length of the video."""
    samples, peaks = array("h"), array("i")
    wanted = int(length_s / WINDOW_S)
    for at_s, sound in _sounds(container):
        if (missing := int(min(at_s, length_s) / WINDOW_S) - len(peaks)) > _GAP:
            peaks.extend(array("i", bytes(peaks.itemsize * missing)))
        samples.frombytes(sound)
        done = len(samples) // _WINDOW
        for start in range(0, done * _WINDOW, _WINDOW):
            window = samples[start : start + _WINDOW]
            peaks.append(max(max(window), -min(window)))
        del samples[: done * _WINDOW]
        if len(peaks) >= wanted:
            break
    if not peaks:
        return []
    return [*peaks[:wanted], *[0] * (wanted - len(peaks))]


def _sounds(container: InputContainer) -> Iterator[tuple[float, bytes]]:
    """Yield the time at which each piece of sound begins, in seconds, and its samples: mono, 16 bit."""
    stream = next((one for one in container.streams.audio if one.codec_context), None)
    if stream is None:
        return
    resampler = AudioResampler("s16", "mono", _RATE)
    for frame in container.decode(stream):
        if isinstance(frame, av.AudioFrame) and frame.time is not None:
            at_s, frame.pts = frame.time, None
            for piece in resampler.resample(frame):
                yield at_s, bytes(piece.planes[0])[: 2 * piece.samples]
