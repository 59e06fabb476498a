"""
Tell a relayer, through its lease, to finish what it began and to begin nothing more.

Whoever takes the lease next begins with a clean slate.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the column; nobody drains yet."""
    op.add_column(
        "lease",
        sa.Column("draining", sa.Boolean, nullable=False, server_default=sa.text("false")),
    )
