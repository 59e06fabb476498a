"""
The tables: what the bridge must not forget.

`migrations` makes them, and a test holds both equal. Attempts and results are only ever added:
triggers in the database hold that. Amounts are kept as decimal text, because a 256-bit number fits
no SQL integer. Nothing here has room for a key or a password.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Dialect,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

__all__ = [
    "attempt",
    "batch",
    "batch_member",
    "cursor",
    "job",
    "lease",
    "metadata",
    "result",
    "round_",
    "seat",
    "slot",
    "task",
]

_UNRESOLVED = text("state in ('open', 'mined')")
_UNFINISHED = text("not terminal")
_OPEN = text("state = 'open'")
_BATCH_OPEN = text("state in ('signed', 'committed')")
_ROUND_OPEN = text("state in ('committing', 'revealing', 'agreed')")


class _Amount(TypeDecorator[int]):
    """A 256-bit number, as decimal text."""

    impl = String(78)
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        return None if value is None else int(value)


metadata = MetaData()

job = Table(
    "job",
    metadata,
    Column("key", LargeBinary(32), primary_key=True),
    Column("chain_id", BigInteger, nullable=False),
    Column("oracle", String(42), nullable=False),
    Column("request_id", LargeBinary(32), nullable=False),
    Column("app_id", LargeBinary(32), nullable=False),
    Column("model_id", LargeBinary(32), nullable=False),
    Column("requester", String(42), nullable=False),
    Column("input", LargeBinary, nullable=False),
    Column("deadline", BigInteger, nullable=False),
    Column("callback_gas", BigInteger, nullable=False),
    Column("fee", _Amount, nullable=False),
    Column("terms", LargeBinary, nullable=False),
    Column("block_number", BigInteger, nullable=False),
    Column("block_hash", LargeBinary(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("result", Integer),
    Column("slot", Integer),
    Column("carried", Integer),
    Column("retries", Integer, nullable=False),
    Column("reason", String(200)),
    Column("settled_number", BigInteger),
    Column("settled_hash", LargeBinary(32)),
    Column("sealed", Boolean, nullable=False),
    Column("terminal", Boolean, nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False, server_default=text("'answer'")),
    Column("target", String(42)),
    Column("call", LargeBinary),
    Column("claimant", String(42)),
    Column("claim_token", BigInteger),
    Index(
        "job_unfinished",
        "chain_id",
        "oracle",
        "block_number",
        "request_id",
        sqlite_where=_UNFINISHED,
        postgresql_where=_UNFINISHED,
    ),
    Index(
        "job_unfinished_by_state",
        "chain_id",
        "oracle",
        "state",
        "block_number",
        "request_id",
        sqlite_where=_UNFINISHED,
        postgresql_where=_UNFINISHED,
    ),
    Index(
        "job_unfinished_by_deadline",
        "chain_id",
        "oracle",
        "deadline",
        sqlite_where=_UNFINISHED,
        postgresql_where=_UNFINISHED,
    ),
)

result = Table(
    "result",
    metadata,
    Column("job_key", LargeBinary(32), ForeignKey("job.key"), primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("statement", LargeBinary, nullable=False),
    Column("output", LargeBinary, nullable=False),
    Column("signature", LargeBinary(65), nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("call", LargeBinary),
)

round_ = Table(
    "round",
    metadata,
    Column("job_key", LargeBinary(32), ForeignKey("job.key"), primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("state", String(16), nullable=False),
    Column("token", BigInteger, nullable=False),
    Index("round_open", "job_key", sqlite_where=_ROUND_OPEN, postgresql_where=_ROUND_OPEN),
)

seat = Table(
    "seat",
    metadata,
    Column("job_key", LargeBinary(32), primary_key=True),
    Column("round", Integer, primary_key=True),
    Column("worker", String(42), primary_key=True),
    Column("place", Integer, nullable=False),
    Column("url", Text, nullable=False),
    Column("commitment", LargeBinary(32)),
    Column("statement", LargeBinary),
    Column("output", LargeBinary),
    Column("signature", LargeBinary(65)),
    Column("fault", String(80)),
    Column("token", BigInteger, nullable=False),
    ForeignKeyConstraint(["job_key", "round"], ["round.job_key", "round.ordinal"]),
)

batch = Table(
    "batch",
    metadata,
    Column("key", LargeBinary(32), ForeignKey("job.key"), primary_key=True),
    Column("chain_id", BigInteger, nullable=False),
    Column("oracle", String(42), nullable=False),
    Column("app_id", LargeBinary(32), nullable=False),
    Column("model_id", LargeBinary(32), nullable=False),
    Column("worker", String(42), nullable=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("batch_id", _Amount),
    Column("operator", String(42)),
    Column("kind", Integer),
    Column("reason", String(200)),
    Column("document", Text, nullable=False),
    Column("token", BigInteger, nullable=False),
    Index(
        "batch_open",
        "chain_id",
        "oracle",
        sqlite_where=_BATCH_OPEN,
        postgresql_where=_BATCH_OPEN,
    ),
)

batch_member = Table(
    "batch_member",
    metadata,
    Column("batch_key", LargeBinary(32), ForeignKey("batch.key"), primary_key=True),
    Column("place", Integer, primary_key=True),
    Column("job_key", LargeBinary(32), ForeignKey("job.key"), nullable=False),
    Column("errand", LargeBinary(32)),
    Column("tries", Integer, nullable=False),
    Column("token", BigInteger, nullable=False, server_default=text("0")),
    Index("batch_member_job", "job_key"),
)

slot = Table(
    "slot",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("chain_id", BigInteger, nullable=False),
    Column("signer", String(42), nullable=False),
    Column("nonce", BigInteger, nullable=False),
    Column("job_key", LargeBinary(32), ForeignKey("job.key")),
    Column("state", String(8), nullable=False),
    Column("broadcasts", Integer, nullable=False),
    Column("mined_hash", LargeBinary(32)),
    Column("mined_block_number", BigInteger),
    Column("mined_block_hash", LargeBinary(32)),
    Column("mined_succeeded", Boolean),
    Column("token", BigInteger, nullable=False),
    UniqueConstraint("chain_id", "signer", "nonce"),
    CheckConstraint("(state in ('mined', 'final')) = (mined_hash is not null)", name="slot_mined"),
    # One delivery at a time: a second nonce for a job is impossible while the first is unresolved.
    Index(
        "slot_one_per_job",
        "job_key",
        unique=True,
        sqlite_where=_UNRESOLVED,
        postgresql_where=_UNRESOLVED,
    ),
    Index(
        "slot_unresolved",
        "chain_id",
        "signer",
        "nonce",
        sqlite_where=_UNRESOLVED,
        postgresql_where=_UNRESOLVED,
    ),
)

attempt = Table(
    "attempt",
    metadata,
    Column("slot_id", Integer, ForeignKey("slot.id"), primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("kind", String(8), nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("hash", LargeBinary(32), nullable=False, unique=True),
    Column("max_fee", _Amount, nullable=False),
    Column("max_priority_fee", _Amount, nullable=False),
    Column("gas", BigInteger, nullable=False),
    Column("signed_at", BigInteger, nullable=False),
    Column("token", BigInteger, nullable=False),
)

cursor = Table(
    "cursor",
    metadata,
    Column("chain_id", BigInteger, primary_key=True, autoincrement=False),
    Column("oracle", String(42), primary_key=True),
    Column("head_number", BigInteger, nullable=False),
    Column("head_hash", LargeBinary(32), nullable=False),
    Column("final_number", BigInteger, nullable=False),
    Column("final_hash", LargeBinary(32), nullable=False),
    Column("token", BigInteger, nullable=False),
)

lease = Table(
    "lease",
    metadata,
    Column("chain_id", BigInteger, primary_key=True, autoincrement=False),
    Column("signer", String(42), primary_key=True),
    Column("holder", String(200), nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("draining", Boolean, nullable=False, server_default=text("false")),
)

task = Table(
    "task",
    metadata,
    Column("kind", String(40), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("given", Text, nullable=False),
    Column("progress", Text, nullable=False),
    Column("state", String(8), nullable=False),
    Column("failures", Integer, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("give_up_at", BigInteger),
    Column("reason", String(200)),
    Column("token", BigInteger, nullable=False),
    Index("task_due", "due_at", sqlite_where=_OPEN, postgresql_where=_OPEN),
)
