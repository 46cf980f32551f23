"""What TwinSync answers, word for word where its document gives the words; no I/O.

The codes are documented; the order of the checks is our reading: the key first, so that a POST with nothing
but a key tells whether the key is valid, and makes no job.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from yarl import URL

from airflow_provider_twinsync.emulator.faults import FailJob, Fault, ResultCode
from airflow_provider_twinsync.emulator.words import words

if TYPE_CHECKING:
    from collections.abc import Mapping

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


def submit(world: World, form: Mapping[str, str], fault: Fault | None = None) -> tuple[Answer, Task | None]:
    """Answer a submission.

    :param form: the request's form fields.
    :return: the answer's JSON, and the job if there is one now.
    """
    code, detail = _injected(fault, SUBMIT_ERRORS), ""
    if code is None:
        code, detail = _problem(world, form)
    if code is not None:
        msg = SUBMIT_ERRORS[code] + (f": {detail}" if detail else "")
        return {"result_code": _code(fault, code), "msg": msg}, None
    task = world.accept(
        text=form["text"],
        image_url=form["image_url"],
        pronouncer=form["pronouncer"],
        failure=fault.reason if isinstance(fault, FailJob) else None,
    )
    return {
        "task_id": task.id,
        "result_code": _code(fault, 100),
        "msg": "SUCCESS! The video is currently in the queue waiting to be processed.",
    }, task


def status(world: World, task_id: str | None, base_url: str, fault: Fault | None = None) -> Answer:
    """Answer a question for a job's status.

    :param task_id: the question's ``taskID``.
    :param base_url: the address under which the client reached this server: the video has the same.
    """
    task = world.tasks.get(task_id or "")
    code = 200 if task is None else world.code_of(task)
    answer: Answer = {"result_code": _code(fault, code)}
    if task is not None and code == 100:
        url = f"{base_url}/example/{task.id}.mp4"
        done = f"taskID:{task.id} has been completed, and the output video url is: {url}"
        return {"result_url": url, **answer, "msg": done}
    msg = STATUS_MEANINGS[_injected(fault, STATUS_MEANINGS) or code]
    if task is not None:
        msg = f"taskID:{task.id} {msg}"
        if code == 104:
            msg += f": {task.failure}"
    return {**answer, "msg": msg}


def is_http_url(url: str) -> bool:
    """Whether an address is one that a photo can be fetched from, in the eyes of the parser that fetches."""
    # The parser drops control characters without a word, and older ones take a backslash into the host.
    if not url.replace(" ", "").isprintable() or "\\" in url:
        return False
    try:
        parsed = URL(url)
        return parsed.scheme in ("http", "https") and bool(parsed.host) and parsed.port != 0
    except ValueError:  # a port, an IPv6 address or an international name that is none
        return False


def _problem(world: World, form: Mapping[str, str]) -> tuple[int | None, str]:
    """The code of the first thing that is wrong with a submission, and what it is."""
    if form.get("key") != world.key:
        return 201, ""
    for name in ("text", "pronouncer"):
        if not form.get(name, "").strip():
            return 200, f"{name} is missing"
    if not is_http_url(form.get("image_url", "")):
        return 202, ""
    if (count := len(words(form["text"]))) > world.word_limit:
        return 200, f"text has {count} words, more than {world.word_limit}"
    return None, ""


def _code(fault: Fault | None, normal: int) -> Any:
    return fault.code if isinstance(fault, ResultCode) else normal


def _injected(fault: Fault | None, meanings: Mapping[int, str]) -> int | None:
    """The code that a fault brings in, if it is a documented one, be it a number or its digits."""
    code = fault.code if isinstance(fault, ResultCode) else None
    if isinstance(code, str) and code.isdecimal():
        code = int(code)
    return code if type(code) is int and code in meanings else None
