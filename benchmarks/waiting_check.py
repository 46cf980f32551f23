"""The check of an answer for ``HttpEventTrigger``: has the job ended?

It is alone in its module because that trigger reloads the module of its check at every poll.
"""


async def has_ended(answer) -> bool:  # type: ignore[no-untyped-def]  # a requests.Response
    """Return whether TwinSync answers with the code 100."""
    return answer.json()["result_code"] == 100
