"""
The tables as they were first written.

Attempts and results are only ever added; triggers in the database hold that, not good manners.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_ADD_ONLY = ("attempt", "result")


def upgrade() -> None:
    """Make every table and every trigger."""
    _job()
    _result()
    _slot()
    _attempt()
    _cursor()
    _lease()
    if op.get_context().dialect.name == "postgresql":
        _add_only_on_postgres()
    else:
        _add_only_on_sqlite()


def _job() -> None:
    op.create_table(
        "job",
        sa.Column("key", sa.LargeBinary(32), primary_key=True),
        sa.Column("chain_id", sa.BigInteger, nullable=False),
        sa.Column("oracle", sa.String(42), nullable=False),
        sa.Column("request_id", sa.LargeBinary(32), nullable=False),
        sa.Column("app_id", sa.LargeBinary(32), nullable=False),
        sa.Column("model_id", sa.LargeBinary(32), nullable=False),
        sa.Column("requester", sa.String(42), nullable=False),
        sa.Column("input", sa.LargeBinary, nullable=False),
        sa.Column("deadline", sa.BigInteger, nullable=False),
        sa.Column("callback_gas", sa.BigInteger, nullable=False),
        sa.Column("fee", sa.String(78), nullable=False),
        sa.Column("block_number", sa.BigInteger, nullable=False),
        sa.Column("block_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("result", sa.Integer),
        sa.Column("slot", sa.Integer),
        sa.Column("carried", sa.Integer),
        sa.Column("retries", sa.Integer, nullable=False),
        sa.Column("reason", sa.String(200)),
        sa.Column("settled_number", sa.BigInteger),
        sa.Column("settled_hash", sa.LargeBinary(32)),
        sa.Column("sealed", sa.Boolean, nullable=False),
        sa.Column("terminal", sa.Boolean, nullable=False),
        sa.Column("token", sa.BigInteger, nullable=False),
    )
    op.create_index("job_open", "job", ["chain_id", "oracle", "terminal", "state"])


def _result() -> None:
    op.create_table(
        "result",
        sa.Column("job_key", sa.LargeBinary(32), sa.ForeignKey("job.key"), primary_key=True),
        sa.Column("ordinal", sa.Integer, primary_key=True),
        sa.Column("statement", sa.LargeBinary, nullable=False),
        sa.Column("output", sa.LargeBinary, nullable=False),
        sa.Column("signature", sa.LargeBinary(65), nullable=False),
        sa.Column("token", sa.BigInteger, nullable=False),
    )


def _slot() -> None:
    unresolved = sa.text("state in ('open', 'mined')")
    op.create_table(
        "slot",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("chain_id", sa.BigInteger, nullable=False),
        sa.Column("signer", sa.String(42), nullable=False),
        sa.Column("nonce", sa.BigInteger, nullable=False),
        sa.Column("job_key", sa.LargeBinary(32), sa.ForeignKey("job.key")),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("broadcasts", sa.Integer, nullable=False),
        sa.Column("mined_hash", sa.LargeBinary(32)),
        sa.Column("mined_block_number", sa.BigInteger),
        sa.Column("mined_block_hash", sa.LargeBinary(32)),
        sa.Column("mined_succeeded", sa.Boolean),
        sa.Column("token", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("chain_id", "signer", "nonce"),
        sa.CheckConstraint(
            "(state in ('mined', 'final')) = (mined_hash is not null)", name="slot_mined"
        ),
    )
    op.create_index(
        "slot_one_per_job",
        "slot",
        ["job_key"],
        unique=True,
        sqlite_where=unresolved,
        postgresql_where=unresolved,
    )


def _attempt() -> None:
    op.create_table(
        "attempt",
        sa.Column("slot_id", sa.Integer, sa.ForeignKey("slot.id"), primary_key=True),
        sa.Column("ordinal", sa.Integer, primary_key=True),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("raw", sa.LargeBinary, nullable=False),
        sa.Column("hash", sa.LargeBinary(32), nullable=False, unique=True),
        sa.Column("max_fee", sa.String(78), nullable=False),
        sa.Column("max_priority_fee", sa.String(78), nullable=False),
        sa.Column("gas", sa.BigInteger, nullable=False),
        sa.Column("signed_at", sa.BigInteger, nullable=False),
        sa.Column("token", sa.BigInteger, nullable=False),
    )


def _cursor() -> None:
    op.create_table(
        "cursor",
        sa.Column("chain_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("oracle", sa.String(42), primary_key=True),
        sa.Column("head_number", sa.BigInteger, nullable=False),
        sa.Column("head_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("final_number", sa.BigInteger, nullable=False),
        sa.Column("final_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("token", sa.BigInteger, nullable=False),
    )


def _lease() -> None:
    op.create_table(
        "lease",
        sa.Column("chain_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("signer", sa.String(42), primary_key=True),
        sa.Column("holder", sa.String(200), nullable=False),
        sa.Column("token", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )


def _add_only_on_sqlite() -> None:
    for table in _ADD_ONLY:
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} rows are only ever added'); END"
            )


def _add_only_on_postgres() -> None:
    op.execute(
        "CREATE FUNCTION quotary_add_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION '% rows are only ever added', TG_TABLE_NAME "
        "USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    for table in _ADD_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_add_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION quotary_add_only()"
        )
