"""
Keep under which lease a request of a batch was last written.

Those from before were written under that of their batch.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the column."""
    token = sa.Column("token", sa.BigInteger, nullable=False, server_default=sa.text("0"))
    op.add_column("batch_member", token)
    op.execute(
        "UPDATE batch_member SET token = "
        "(SELECT batch.token FROM batch WHERE batch.key = batch_member.batch_key)"
    )
