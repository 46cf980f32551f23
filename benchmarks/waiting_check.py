"""Says whether an answer means that the job has ended, for ``HttpEventTrigger``.

It is alone in its module because that trigger reloads the module of its check at every poll.
"""


async def has_ended(answer) -> bool:  # type: ignore[no-untyped-def]  # a requests.Response
    """Look at the code that TwinSync answers with."""
    return answer.json()["result_code"] == 100
