"""The inputs of a video, for its asset event and for OpenLineage.

A download has the id of the job, and not its text and photo. The submit pushes an XCom with the inputs, and
the download finds it by the job's id among the submits upstream.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypedDict

from airflow_provider_twinsync._api.photo import shown_photo
from airflow_provider_twinsync._api.validation import checked_photo
from airflow_provider_twinsync.exceptions import UsageError
from airflow_provider_twinsync.links import push_xcom

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from airflow.providers.common.compat.sdk import Context
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_twinsync._download.transfer import Download

log = logging.getLogger(__name__)

INPUTS_KEY = "twinsync_inputs"


class Inputs(TypedDict):
    """The inputs of a job.

    ``fingerprint`` is the hash of text, photo, voice and service: the same inputs have the same fingerprint.
    ``photo`` is the address of the photo, without its login and its query, which may be a signature, for
    example ``https://example.com/anna.jpg`` or ``s3://aws_default@photos/anna.jpg``. ``record`` is the
    address of the job's record in a ledger, and ``is_recorded`` is true if that or another record lets a
    retry reconnect.
    """

    twinsync_task_id: str
    fingerprint: str
    photo: str
    record: str | None
    is_recorded: bool


def push_inputs(context: Context, inputs: Inputs | list[Inputs]) -> None:
    """Push the inputs of a task's job, or of its jobs, as an XCom: for the download, and after a deferral."""
    push_xcom(context, INPUTS_KEY, inputs)


def pull_own_inputs(context: Context) -> list[Inputs]:
    """Return the inputs that this task pushed before it was deferred; none if they cannot be read."""
    with suppress(Exception):  # of any backend of XComs
        ti: Any = context["ti"]
        found: Any = ti.xcom_pull(task_ids=ti.task_id, key=INPUTS_KEY, map_indexes=ti.map_index)
        jobs: list[Inputs] = found if isinstance(found, list) else [found]
        if all(job.keys() >= Inputs.__required_keys__ for job in jobs):
            return jobs
    return []


def pull_inputs(
    context: Context, submits: Iterable[tuple[str, bool]], twinsync_task_id: str | None
) -> Inputs | None:
    """Return the inputs of a job, or None if no submit upstream made it.

    :param submits: the submit tasks upstream: the id of each, and whether it is mapped.
    """
    if not twinsync_task_id:
        return None
    try:
        found = (one for submit in submits for one in _pull(context, *submit))
        return next((one for one in found if one["twinsync_task_id"] == twinsync_task_id), None)
    except Exception as error:  # the video is worth more
        log.warning("TS603 The inputs of TwinSync job %s could not be read: %s", twinsync_task_id, error)
        return None


def _pull(context: Context, submit: str, is_many: bool) -> Iterator[Inputs]:
    """Return the inputs that a submit task pushed: first those of this task's map index, then all others.

    Airflow logs an error for a missing index.
    """
    ti: Any = context["ti"]
    own = [{"map_indexes": ti.map_index}] if is_many == (ti.map_index not in (None, -1)) else []
    for indexes in (*own, {}):
        found: Any = ti.xcom_pull(task_ids=submit, key=INPUTS_KEY, **indexes)
        if isinstance(found, dict):
            found = [found]
        yield from found or ()


def tell_assets(
    context: Context, outlets: Iterable[Any], extra: dict[str, Any], partition_key: str | None = None
) -> None:
    """Add the description of the video to the event of each asset of a task.

    :param partition_key: the partition of the event, on Airflow 3.3 and later. Airflow then starts only the
        DAGs that are scheduled by the partitions of the asset (``PartitionedAssetTimetable``), once for each
        key, and no DAG that is scheduled by the asset itself. By default there is no partition.
    """
    for outlet in outlets:
        try:
            event = context["outlet_events"][outlet]
            event.extra.update(extra)
        except (TypeError, ValueError):
            continue  # an outlet that is no asset has no event
        except Exception as error:  # as above: the video is worth more
            log.warning("TS604 The event of the asset %s has no description of the video: %s", outlet, error)
            continue
        add_partitions = getattr(event, "add_partitions", None)
        if partition_key is None or add_partitions is None:
            continue
        try:
            add_partitions(partition_key)
        except TypeError:
            continue  # an AssetAlias has no event by itself
        except Exception as error:  # a key that is blank, or longer than Airflow's 250 characters
            log.warning("TS606 The event of the asset %s has no partition key: %s", outlet, error)
            continue
        log.info(
            "The event of the asset %s has the partition key %r: it starts the DAGs with a "
            "PartitionedAssetTimetable, and no others.",
            outlet,
            partition_key,
        )


def openlineage(
    source: Any,
    fetched: Download | None,
    twinsync_task_id: Any,
    text: Mapping[str, Any] | None = None,
) -> OperatorLineage[Any, Any]:
    """Build the lineage of a task. Only OpenLineage's provider calls this, so it is installed.

    :param source: the address of the input: of the photo or, if that is unknown, of the video at the service.
    :param fetched: the output.
    :param twinsync_task_id: the job, which a submit and its download have in common.
    :param text: ``text_words`` and ``pronouncer`` of the video, for its documentation.
    """
    from airflow.providers.common.compat.openlineage.facet import (
        Dataset,
        DocumentationDatasetFacet,
        ExternalQueryRunFacet,
        OutputDataset,
        OutputStatisticsOutputDatasetFacet,
    )
    from airflow.providers.openlineage.extractors import OperatorLineage

    inputs, outputs, run_facets = [], [], {}
    with suppress(UsageError):  # for example of a template that rendered to nothing
        namespace, name = _name(shown_photo(checked_photo(source)))
        inputs.append(Dataset(namespace, name or "/"))
    if fetched:
        namespace, name = _name(fetched["path"])
        size = OutputStatisticsOutputDatasetFacet(size=fetched["bytes"], fileCount=1)
        facets: dict[str, Any] = {}
        if text:
            spoken = f"{text['text_words']} words, spoken by {text['pronouncer']}"
            facets["documentation"] = DocumentationDatasetFacet(description=spoken)
        outputs.append(OutputDataset(namespace, name, facets=facets, outputFacets={"outputStatistics": size}))
    if twinsync_task_id:
        run_facets["externalQuery"] = ExternalQueryRunFacet(
            externalQueryId=twinsync_task_id, source="twinsync"
        )
    return OperatorLineage(inputs=inputs, outputs=outputs, run_facets=run_facets)


def _name(path: str) -> tuple[str, str]:
    """Return OpenLineage's namespace and name of a path; of an object they are the bucket and the key.

    This reads the text, as the bucket of ``ObjectStoragePath`` has the connection's id on Airflow 2, and not
    on Airflow 3. For example, ``s3://aws@videos/a.mp4`` is ``("s3://videos", "a.mp4")``.
    """
    scheme, is_store, place = path.partition("://")
    if not is_store:
        return "file", path
    bucket, slash, key = place.partition("/")
    if scheme in ("http", "https"):
        return f"{scheme}://{bucket}", f"{slash}{key}"
    return f"{scheme}://{bucket.rpartition('@')[2]}", key
