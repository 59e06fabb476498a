"""
Keep batches: what a worker signed for many requests at once, and which requests those were.

Records from before have none.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the tables."""
    still_open = sa.text("state in ('signed', 'committed')")
    op.create_table(
        "batch",
        sa.Column("key", sa.LargeBinary(32), sa.ForeignKey("job.key"), primary_key=True),
        sa.Column("chain_id", sa.BigInteger, nullable=False),
        sa.Column("oracle", sa.String(42), nullable=False),
        sa.Column("app_id", sa.LargeBinary(32), nullable=False),
        sa.Column("model_id", sa.LargeBinary(32), nullable=False),
        sa.Column("worker", sa.String(42), nullable=False),
        sa.Column("root", sa.LargeBinary(32), nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("batch_id", sa.String(78)),
        sa.Column("operator", sa.String(42)),
        sa.Column("kind", sa.Integer),
        sa.Column("reason", sa.String(200)),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("token", sa.BigInteger, nullable=False),
    )
    op.create_index(
        "batch_open",
        "batch",
        ["chain_id", "oracle"],
        sqlite_where=still_open,
        postgresql_where=still_open,
    )
    op.create_table(
        "batch_member",
        sa.Column("batch_key", sa.LargeBinary(32), sa.ForeignKey("batch.key"), primary_key=True),
        sa.Column("place", sa.Integer, primary_key=True),
        sa.Column("job_key", sa.LargeBinary(32), sa.ForeignKey("job.key"), nullable=False),
        sa.Column("errand", sa.LargeBinary(32)),
        sa.Column("tries", sa.Integer, nullable=False),
    )
    op.create_index("batch_member_job", "batch_member", ["job_key"])
