"""The mark of tests that take long and do not depend on the version of Airflow."""

from __future__ import annotations

import pytest

from support.environment import AIRFLOW_VERSION

ONCE = pytest.mark.skipif(AIRFLOW_VERSION < (3, 3), reason="one version of Airflow is enough")
