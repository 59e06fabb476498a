"""
Find what is open without passing by what is done.

A cycle must cost the same with a thousand finished requests in the store and with a hundred
thousand: its questions are answered by indexes that hold open rows only.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Index the open rows."""
    unresolved = sa.text("state in ('open', 'mined')")
    op.create_index(
        "slot_unresolved",
        "slot",
        ["chain_id", "signer", "nonce"],
        sqlite_where=unresolved,
        postgresql_where=unresolved,
    )
    unfinished = sa.text("not terminal")
    op.create_index(
        "job_unfinished",
        "job",
        ["chain_id", "oracle", "block_number", "request_id"],
        sqlite_where=unfinished,
        postgresql_where=unfinished,
    )
