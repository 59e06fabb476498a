"""
Long work that no nonce waits for: proofs, fresh collateral.

Beside the jobs, because a task may run for hours and has no signer whose lease would guard it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the table of tasks, and find what is due by index."""
    open_only = sa.text("state = 'open'")
    op.create_table(
        "task",
        sa.Column("kind", sa.String(40), primary_key=True),
        sa.Column("key", sa.String(200), primary_key=True),
        sa.Column("given", sa.Text, nullable=False),
        sa.Column("progress", sa.Text, nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("give_up_at", sa.BigInteger),
        sa.Column("reason", sa.String(200)),
        sa.Column("token", sa.BigInteger, nullable=False),
    )
    op.create_index(
        "task_due", "task", ["due_at"], sqlite_where=open_only, postgresql_where=open_only
    )
