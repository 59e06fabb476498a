"""
Keep who works on a job, where several relayers share a store.

Jobs from before are nobody's: whoever comes first takes them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("job", sa.Column("claimant", sa.String(42)))
    op.add_column("job", sa.Column("claim_token", sa.BigInteger))
