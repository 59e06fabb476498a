"""
Keep rounds of several workers, and errands: calls about a request that are not its answer.

Jobs from before are all of one worker, and results from before carry themselves.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the tables and the columns."""
    default = sa.text("'answer'")
    op.add_column("job", sa.Column("kind", sa.String(16), nullable=False, server_default=default))
    op.add_column("job", sa.Column("target", sa.String(42)))
    op.add_column("job", sa.Column("call", sa.LargeBinary))
    op.add_column("result", sa.Column("call", sa.LargeBinary))
    _round()
    _seat()


def _round() -> None:
    still_open = sa.text("state in ('committing', 'revealing', 'agreed')")
    op.create_table(
        "round",
        sa.Column("job_key", sa.LargeBinary(32), sa.ForeignKey("job.key"), primary_key=True),
        sa.Column("ordinal", sa.Integer, primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("token", sa.BigInteger, nullable=False),
    )
    op.create_index(
        "round_open", "round", ["job_key"], sqlite_where=still_open, postgresql_where=still_open
    )


def _seat() -> None:
    op.create_table(
        "seat",
        sa.Column("job_key", sa.LargeBinary(32), primary_key=True),
        sa.Column("round", sa.Integer, primary_key=True),
        sa.Column("worker", sa.String(42), primary_key=True),
        sa.Column("place", sa.Integer, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("commitment", sa.LargeBinary(32)),
        sa.Column("statement", sa.LargeBinary),
        sa.Column("output", sa.LargeBinary),
        sa.Column("signature", sa.LargeBinary(65)),
        sa.Column("fault", sa.String(80)),
        sa.Column("token", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["job_key", "round"], ["round.job_key", "round.ordinal"]),
    )
