"""Where a run is tracked."""

from pydantic import Field

from foretaste.settings import NAME_PATTERN, Settings


class TrackingConfig(Settings):
    """Sends each run to MLflow. The section alone, without keys, takes the defaults; without it nothing is sent."""

    enabled: bool = True
    """False keeps the section and sends nothing."""
    uri: str | None = None
    """`sqlite:///file.db` or `http://server:5000`. Default: MLFLOW_TRACKING_URI, else `artifacts/mlflow.db`."""
    experiment: str | None = Field(default=None, min_length=1)
    """Under which the runs are filed. Default: the name of the config."""
    model: str | None = Field(default=None, pattern=NAME_PATTERN)
    """Registered model whose versions the bundles are. Default: the name of the config."""
