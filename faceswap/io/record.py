"""Frozen values that are stored as JSON."""

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """Base of frozen values that are stored as JSON; keys of later versions are kept out of the way."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)
