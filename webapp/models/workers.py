"""Workers, by their heartbeat."""

from __future__ import annotations

from sqlalchemy.orm import Mapped, mapped_column

from webapp.db import Model
from webapp.models.columns import Name, Now


class Worker(Model):
    """One worker process; it counts as alive while `seen_at` is recent."""

    __tablename__ = "workers"

    # Unique to the process (`webapp.run.processes.unique_name`): machines and containers may share a host name.
    name: Mapped[Name] = mapped_column(primary_key=True)
    seen_at: Mapped[Now]
