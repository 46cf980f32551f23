"""The DAGs of ``test_video_dags.py``; the folder comes from the run's configuration."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_twinsync.operators import TwinSyncVideoOperator

FOLDER = "{{ dag_run.conf['folder'] }}"
PHOTO = "https://example.com/anna.jpg"
GIVEN: dict[str, Any] = {"image_url": PHOTO, "pronouncer": "en-US-JennyNeural", "poke_interval": 0.1}
VOICES = {"Guten Morgen.": "de-DE-KatjaNeural", "Bonjour.": "fr-FR-DeniseNeural"}

with DAG("videos_news", schedule=None) as news:
    for mode in ("deferred", "worker"):

        @task.twinsync(
            task_id=mode, destination=f"{FOLDER}/{mode}.mp4", deferrable=mode == "deferred", **GIVEN
        )
        def bulletin(greeting: str, ti: Any = None, dag_run: Any = None) -> str:
            """Count the calls, and return a text with an argument of Airflow's."""
            with open(f"{dag_run.conf['folder']}/calls", "a") as calls:  # noqa: PTH123
                calls.write("x")
            return f"{greeting} from {ti.task_id}."

        bulletin("Good morning")

with DAG("videos_greetings", schedule=None) as greetings:

    @task.twinsync(
        image_url=PHOTO, poke_interval=0.1, destination=FOLDER + "/{{ ti.map_index }}.mp4", deferrable=False
    )
    def greet(text: str) -> dict[str, str]:
        """Return two of the arguments."""
        return {"text": text, "pronouncer": VOICES[text]}

    greet.expand(text=list(VOICES))

with DAG("videos_native", schedule=None, render_template_as_native_obj=True) as native:

    @task.twinsync(destination=FOLDER + "/{{ 2026 }}", **GIVEN)
    def count(numbers: list[int], names: dict[str, str]) -> str:
        """Take values that Airflow renders natively."""
        return f"{sum(numbers)} {names['unit']}"

    count("{{ [1, 2] }}", names={"unit": "{{ 'apples' }}"})

with DAG("videos_wrong", schedule=None) as wrong:

    @task.twinsync(destination=FOLDER + "/a.mp4", retries=2, **GIVEN)
    def returned(dag_run: Any = None) -> Any:
        """Return something else."""
        return dag_run.conf["returned"]

    returned()

with DAG("videos_rows", schedule=None) as rows:

    @task
    def sheet(dag_run: Any = None) -> list[dict[str, Any]]:
        """Return the arguments of each video."""
        return [
            {"text": text, "pronouncer": voice, "destination": f"{dag_run.conf['folder']}/{voice}.mp4"}
            for text, voice in VOICES.items()
        ]

    TwinSyncVideoOperator.partial(task_id="video", image_url=PHOTO, poke_interval=0.1).expand_kwargs(sheet())

with DAG("videos_checked", schedule=None) as checked:
    TwinSyncVideoOperator.partial(
        task_id="video", destination=FOLDER + "/a.mp4", check=True, **GIVEN
    ).expand_kwargs([{"text": "Good morning, and here is the news of today. " * 4}])

with DAG("videos_same", schedule=None) as same:
    TwinSyncVideoOperator.partial(task_id="video", destination=FOLDER + "/a.mp4", **GIVEN).expand(
        text=list(VOICES)
    )

with DAG("videos_uuid", schedule=None) as uuid:
    TwinSyncVideoOperator.partial(
        task_id="video", destination=FOLDER + "/{{ macros.uuid.uuid4() }}.mp4", **GIVEN
    ).expand(text=list(VOICES))

with DAG("videos_branch", schedule=None) as branch:

    @task.branch
    def choose() -> str:
        """Run one of the two."""
        return "short"

    choose() >> [
        TwinSyncVideoOperator(task_id=name, text=name, destination=FOLDER + "/a.mp4", **GIVEN)
        for name in ("short", "long")
    ]

with DAG("videos_two", schedule=None) as two:
    for name in ("one", "two"):
        TwinSyncVideoOperator(task_id=name, text=name, destination=FOLDER + "/a.mp4", **GIVEN)
