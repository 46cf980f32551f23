"""The answers of TwinSync, word for word where its document has the words; no I/O.

The codes are documented; the order of the checks is our reading: the key first, so that a POST with nothing
but a key checks the key, and makes no job.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from yarl import URL

from airflow_provider_twinsync.emulator.escapes import key_in_escapes
from airflow_provider_twinsync.emulator.faults import (
    DEFECTS,
    AnotherJob,
    FailJob,
    KeyInMessage,
    NoAddress,
    Padded,
    ResultCode,
)
from airflow_provider_twinsync.emulator.words import limited_words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_twinsync.emulator.fault import Fault
    from airflow_provider_twinsync.emulator.world import Task, World

SUBMIT_ERRORS = {
    200: "Request parameter error or incomplete",
    201: "Invalid or missing access key",
    202: "Invalid or missing cloud address of audio or video file",
    203: "Internal server error (such as video conversion failure, storage failure)",
}
STATUS_MEANINGS = {
    101: "waiting",
    102: "running",
    103: "successful",
    104: "failed",
    200: "taskID missing, or not in the service queue",
}

Answer = dict[str, Any]


def submit(
    world: World,
    form: Mapping[str, str],
    fault: Fault | None = None,
    *,
    photo_problem: Callable[[str], str | None] = lambda image_url: None,
) -> tuple[Answer, Task | None]:
    """Answer a submit.

    :param form: the request's form fields.
    :param photo_problem: returns the problem of an http(s) address as that of a photo, or None.
    :return: the answer's JSON, and the job if there is one now.
    """
    code, detail = _injected(fault, SUBMIT_ERRORS), ""
    if isinstance(fault, KeyInMessage):
        code, detail = 201, _with_key(world)
    if code is None:
        code, detail = _problem(world, form, photo_problem)
    if code is not None:
        msg = SUBMIT_ERRORS[code] + (f": {detail}" if detail else "")
        return _padded({"result_code": _code(fault, code), "msg": msg}, fault), None
    task = world.accept(
        text=form["text"],
        image_url=form["image_url"],
        pronouncer=form["pronouncer"],
        failure=fault.reason if isinstance(fault, FailJob) else None,
        defect=fault.name if fault is not None and fault.name in DEFECTS else None,
    )
    answer = {
        "task_id": task.id,
        "result_code": _code(fault, 100),
        "msg": "SUCCESS! The video is currently in the queue waiting to be processed.",
    }
    return _padded(answer, fault), task


def status(world: World, task_id: str | None, base_url: str, fault: Fault | None = None) -> Answer:
    """Answer a poll.

    :param task_id: the ``taskID`` of the request.
    :param base_url: the address under which the client reached this server: the video has the same.
    """
    if isinstance(fault, AnotherJob):
        return _done(fault.task_id, base_url)
    if isinstance(fault, NoAddress):
        return {"result_code": 100, "msg": f"taskID:{task_id} has been completed"}
    if isinstance(fault, KeyInMessage):
        return {"result_code": 104, "msg": f"taskID:{task_id} failed: {_with_key(world)}"}
    task = world.tasks.get(task_id or "")
    code = 200 if task is None else world.code_of(task)
    answer: Answer = {"result_code": _code(fault, code)}
    if task is not None and code == 100:
        return _padded({**_done(task.id, base_url), **answer}, fault)
    msg = STATUS_MEANINGS[_injected(fault, STATUS_MEANINGS) or code]
    if task is not None:
        msg = f"taskID:{task.id} {msg}"
        if code == 104:
            msg += f": {task.failure}"
    return _padded({**answer, "msg": msg}, fault)


def _done(task_id: str, base_url: str) -> Answer:
    url = f"{base_url}/example/{task_id}.mp4"
    msg = f"taskID:{task_id} has been completed, and the output video url is: {url}"
    return {"result_url": url, "result_code": 100, "msg": msg}


def _padded(answer: Answer, fault: Fault | None) -> Answer:
    if not isinstance(fault, Padded):
        return answer
    return {name: f"{fault.padding}{value}{fault.padding}" for name, value in answer.items()}


def _with_key(world: World) -> str:
    return f"account of key {', '.join(key_in_escapes(world.key).values())} has no credit"


def is_http_url(url: str) -> bool:
    """Return whether a photo can be fetched from an address, by the parser of the client that fetches."""
    # The parser drops control characters without a word, and older ones take a backslash into the host.
    if not url.replace(" ", "").isprintable() or "\\" in url:
        return False
    try:
        parsed = URL(url)
        return parsed.scheme in ("http", "https") and bool(parsed.host) and parsed.port != 0
    except ValueError:  # a port, an IPv6 address or an international name that is none
        return False


def _problem(
    world: World, form: Mapping[str, str], photo_problem: Callable[[str], str | None]
) -> tuple[int | None, str]:
    """Return the code and the text of the first problem of a submit."""
    if form.get("key") != world.key:
        return 201, ""
    for name in ("text", "pronouncer"):
        if not form.get(name, "").strip():
            return 200, f"{name} is missing"
    if not (image_url := form.get("image_url", "")):
        return 202, "image_url is missing"
    if not is_http_url(image_url):
        return 202, (
            "image_url is not an http(s) address, and TwinSync opens no other; POST a local photo to "
            "/_emulator/photos to get one"
        )
    if (wrong := photo_problem(image_url)) is not None:
        return 202, wrong
    if (count := limited_words(form["text"])) > world.word_limit:
        return 200, f"text has {count} words, more than {world.word_limit}"
    return None, ""


def _code(fault: Fault | None, normal: int) -> Any:
    return fault.code if isinstance(fault, ResultCode) else normal


def _injected(fault: Fault | None, meanings: Mapping[int, str]) -> int | None:
    """Return the code of a fault, a number or its digits, if the code is documented."""
    code = fault.code if isinstance(fault, ResultCode) else None
    if isinstance(code, str) and code.isdecimal():
        code = int(code)
    return code if type(code) is int and code in meanings else None
