"""
Find open jobs by their state and by their deadline.

A cycle takes a few jobs of one state, the oldest first, and those whose deadline has passed: both
are found without looking at the others, and without looking at what is finished.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Index the open rows by what is asked, and drop the index that held finished ones."""
    unfinished = sa.text("not terminal")
    for name, columns in (
        ("job_unfinished_by_state", ["state", "block_number", "request_id"]),
        ("job_unfinished_by_deadline", ["deadline"]),
    ):
        op.create_index(
            name,
            "job",
            ["chain_id", "oracle", *columns],
            sqlite_where=unfinished,
            postgresql_where=unfinished,
        )
    op.drop_index("job_open", "job")
