"""
### A course in five languages

One video for each language, mapped over a list. Each row has its own text, voice and file. A row that fails
delays no other row, and can be cleared alone.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Param, task  # Airflow 2: airflow.providers.common.compat.sdk

from airflow_provider_twinsync.operators import TwinSyncVideoOperator

# [START howto_twinsync_course]
LESSON = {
    "de": ("de-DE-KatjaNeural", "Willkommen! Lektion eins: Wasser ist Leben."),
    "en": ("en-US-JennyNeural", "Welcome! Lesson one: water is life."),
    "es": ("es-ES-ElviraNeural", "¡Bienvenidos! Lección uno: el agua es vida."),
    "fr": ("fr-FR-DeniseNeural", "Bienvenue ! Leçon un : l'eau, c'est la vie."),
    "zh": ("zh-CN-XiaohanNeural", "欢迎！第一课：水是生命。"),
}

with DAG(
    dag_id="twinsync_course",
    schedule=None,
    catchup=False,
    tags=["twinsync", "example"],
    doc_md=__doc__,
    params={"folder": Param("/tmp/twinsync", type="string")},  # noqa: S108  # an example's
) as dag:

    @task
    def lessons(params: dict[str, Any]) -> list[dict[str, str]]:
        """Return the arguments of each video."""
        return [
            {"text": text, "pronouncer": voice, "destination": f"{params['folder']}/lesson-1-{language}.mp4"}
            for language, (voice, text) in LESSON.items()
        ]

    TwinSyncVideoOperator.partial(
        task_id="video",
        image_url="https://twinsync.oss-cn-hangzhou.aliyuncs.com/video/1683730315image.jpeg",
        timeout=3600,
    ).expand_kwargs(lessons())
# [END howto_twinsync_course]
