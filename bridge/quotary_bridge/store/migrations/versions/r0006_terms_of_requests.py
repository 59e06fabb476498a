"""
Keep what a request says, word for word.

The oracle keeps only the hash of a request's terms; whoever delivers a result brings them along.
Jobs from before belong to an oracle that knows no terms: there are none to keep.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the column."""
    op.add_column(
        "job", sa.Column("terms", sa.LargeBinary, nullable=False, server_default=sa.text("''"))
    )
