"""Where a video comes from: what its asset event and OpenLineage tell of it.

A download knows the job, and not what the job was made of. The submit leaves that in an XCom, which the
download looks for among the submits that are upstream of it, and knows by the job's id.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, TypedDict
from urllib.parse import urlsplit

from airflow_provider_twinsync._api.shown import bare_url
from airflow_provider_twinsync._api.validation import is_http_url
from airflow_provider_twinsync.links import push_xcom

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow.providers.common.compat.sdk import Context
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_twinsync._download.transfer import Download

log = logging.getLogger(__name__)

INPUTS_KEY = "twinsync_inputs"


class Inputs(TypedDict):
    """What a job was made of.

    ``fingerprint`` names text, photo, voice and service together: the same inputs, the same name. ``photo``
    is the address of the photo, without its login and its query, which may be a signature.
    """

    twinsync_task_id: str
    fingerprint: str
    photo: str


def push_inputs(context: Context, twinsync_task_id: str, *, fingerprint: str, image_url: str) -> None:
    """Leave for the download what a job was made of."""
    inputs = Inputs(
        twinsync_task_id=twinsync_task_id, fingerprint=fingerprint, photo=bare_url(image_url.strip())
    )
    push_xcom(context, INPUTS_KEY, inputs)


def pull_inputs(
    context: Context, submits: Iterable[tuple[str, bool]], twinsync_task_id: str | None
) -> Inputs | None:
    """Return what a job was made of, or None where no submit upstream knows it.

    :param submits: the ids of the submit tasks upstream, each with whether there are many instances of it.
    """
    if not twinsync_task_id:
        return None
    try:
        found = (one for submit in submits for one in _pull(context, *submit))
        return next((one for one in found if one["twinsync_task_id"] == twinsync_task_id), None)
    except Exception as error:  # whatever it is, the video is worth more
        log.warning("What TwinSync job %s was made of could not be read: %s", twinsync_task_id, error)
        return None


def _pull(context: Context, submit: str, is_many: bool) -> Iterator[Inputs]:
    """Return what a submit task left: first that with this task's map index, as it mostly is, and then all.

    Airflow logs an error for an index that is not there.
    """
    ti: Any = context["ti"]
    own = [{"map_indexes": ti.map_index}] if is_many == (ti.map_index not in (None, -1)) else []
    for indexes in (*own, {}):
        found: Any = ti.xcom_pull(task_ids=submit, key=INPUTS_KEY, **indexes)
        if isinstance(found, dict):
            found = [found]
        yield from found or ()


def tell_assets(context: Context, outlets: Iterable[Any], extra: dict[str, Any]) -> None:
    """Put into the event of each asset of a task what it says of the video."""
    for outlet in outlets:
        try:
            context["outlet_events"][outlet].extra.update(extra)
        except (TypeError, ValueError):
            pass  # other things than assets may be outlets, and have no events
        except Exception as error:  # as above: the video is worth more
            log.warning("The event of %s does not tell of the video: %s", outlet, error)


def openlineage(source: Any, fetched: Download | None, twinsync_task_id: Any) -> OperatorLineage[Any, Any]:
    """Give what OpenLineage asks for; only its provider calls this, and then there is one.

    :param source: the address of the input: of the photo or, where that is not known, of the video at the
        service.
    :param fetched: the output.
    :param twinsync_task_id: the job, by which a submit and its download know each other.
    """
    from airflow.providers.common.compat.openlineage.facet import (
        Dataset,
        ExternalQueryRunFacet,
        OutputDataset,
        OutputStatisticsOutputDatasetFacet,
    )
    from airflow.providers.openlineage.extractors import OperatorLineage

    inputs, outputs, run_facets = [], [], {}
    if is_http_url(source := str(source).strip()):
        address = urlsplit(bare_url(source))
        inputs.append(Dataset(namespace=f"{address.scheme}://{address.netloc}", name=address.path or "/"))
    if fetched:
        namespace, name = _name(fetched["path"])
        size = OutputStatisticsOutputDatasetFacet(size=fetched["bytes"], fileCount=1)
        outputs.append(OutputDataset(namespace, name, outputFacets={"outputStatistics": size}))
    if twinsync_task_id:
        run_facets["externalQuery"] = ExternalQueryRunFacet(
            externalQueryId=twinsync_task_id, source="twinsync"
        )
    return OperatorLineage(inputs=inputs, outputs=outputs, run_facets=run_facets)


def _name(path: str) -> tuple[str, str]:
    """Give OpenLineage's namespace and name of where a video lies: of a store, its bucket and the key there.

    From the text, as ``ObjectStoragePath`` gives the bucket with the connection's id on Airflow 2, and
    without it on Airflow 3.
    """
    scheme, is_store, place = path.partition("://")
    if not is_store:
        return "file", path
    bucket, _, key = place.partition("/")
    return f"{scheme}://{bucket.rpartition('@')[2]}", key
