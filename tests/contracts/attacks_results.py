"""
The catalogue of attacks on results: cases 114 to 127 and 159 to 168.

Cases 128 to 138 are with admission, 169 to 200 with relaying. As there, each case names the tests
that hold it and, for each test, the reasons it asserts: a custom error, a code, a state, or what
else the test says must hold. `why` is given where the attack has nothing to attack here, or its
answer is no error.
"""

from __future__ import annotations

from tests.contracts.attacks_admission import AdmissionAttack as Attack

__all__ = ["RESULT_ATTACKS"]

_SOL = "contracts/test/"
_ORACLE = f"{_SOL}ResultOracle.t.sol::test"
_ROUNDS = f"{_SOL}Rounds.t.sol::test_FulfillByQuorum_RevertWhen_"
_ESCROW = f"{_SOL}Escrow.t.sol::test"
_REENTRY = f"{_SOL}Reentry.t.sol::test_Callback_"
_BRIDGE = "tests/bridge/test_"
_RELAYER = f"{_BRIDGE}relayer.py::test_"
_FAULTS = f"{_BRIDGE}relayer_faults.py::test_"
_REORGS = f"{_BRIDGE}relayer_reorgs.py::test_"

_CONSUMERS = (
    Attack(
        114,
        "a result replayed elsewhere",
        {
            f"{_ORACLE}_Fulfill_RevertWhen_SignedForAnotherOracleOrChain": (
                "WrongSigner",
                "UnknownRequest",
            ),
            f"{_ORACLE}_Fulfill_RevertWhen_AFieldIsNotTheRequests": ("WrongApp", "WrongModel"),
            f"{_ROUNDS}TheStatementsSayAnotherThing": ("WrongSigner",),
            f"{_BRIDGE}workers.py::test_a_result_for_another_chain_or_oracle_has_another_signer": (
                "WRONG_SIGNER",
            ),
            "tests/enclave/test_worker_statements.py::test_a_result_is_worth_nothing_elsewhere": (),
        },
        "what is signed for elsewhere recovers to a stranger",
    ),
    Attack(
        115,
        "a chain that splits",
        {f"{_ORACLE}_Fulfill_RevertWhen_SignedForAnotherOracleOrChain": ("chainId", "WrongSigner")},
    ),
    Attack(
        116,
        "two results for one request",
        {
            f"{_ORACLE}_Fulfill_RevertGiven_TheRequestHasEnded": ("AlreadyFulfilled",),
            f"{_RELAYER}a_request_that_somebody_else_answered_is_superseded": ("AlreadyFulfilled",),
        },
    ),
    Attack(
        117,
        "a signature that recovers to nobody",
        {
            f"{_ORACLE}_Fulfill_RevertWhen_TheSignatureIsNotInItsOneEncoding": (
                "InvalidSignature",
            ),
            f"{_ORACLE}_Fulfill_RevertWhen_AKeyThatNeverRegisteredSigns": ("WorkerUnknown",),
        },
    ),
    Attack(
        118,
        "another encoding of a signature",
        {
            f"{_ORACLE}_Fulfill_RevertWhen_TheSignatureIsNotInItsOneEncoding": (
                "InvalidSignature",
            ),
            f"{_BRIDGE}workers.py::test_a_signature_has_one_encoding": ("INVALID_SIGNATURE",),
        },
    ),
    Attack(
        119,
        "a result that comes late",
        {
            f"{_ORACLE}_Fulfill_RevertWhen_AFieldIsNotTheRequests": ("ResultExpired",),
            f"{_RELAYER}a_request_whose_deadline_passed_is_superseded": ("RequestExpired",),
        },
    ),
    Attack(
        120,
        "a worker that is revoked between signing and delivery",
        {
            f"{_ORACLE}_Fulfill_RevertGiven_TheWorkerIsNoLongerActive": ("WorkerIsRevoked",),
            f"{_RELAYER}a_worker_revoked_after_it_signed_is_stopped_by_the_simulation": (
                "DELIVERY_REFUSED",
                "WorkerIsRevoked",
            ),
            f"{_SOL}Voids.t.sol::test_Void_StopsClaims": ("WorkerIsRevoked",),
            f"{_SOL}Voids.t.sol::test_Void_RevertGiven_TheWorkerRanOutOfTime": (
                "WorkerNotYetActive",
            ),
            f"{_BRIDGE}relayer_registered.py::test_anybody_may_bring_two_statements": (
                "WorkerIsRevoked",
            ),
        },
    ),
    Attack(
        121,
        "a callback that burns, reverts or bombs",
        {
            f"{_ORACLE}Fuzz_Callback_APoisonousConsumerHurtsOnlyItself": ("Failed",),
            f"{_ORACLE}_RetryCallback_DeliversOnce": ("NothingToRetry",),
            f"{_ORACLE}_RetryCallback_TellsOfAnEndWithoutAnAnswer": ("CallbackReverted",),
            f"{_SOL}Batches.t.sol::test_RetryCallback_DeliversWhatWasClaimed": ("OutputMismatch",),
            f"{_BRIDGE}relayer_consumers.py::test_poisonous_consumers_hold_up_nobody": (
                "FULFILLED",
                "FAILED",
            ),
        },
        "the bomb has 100,000 bytes: a megabyte takes more gas than a callback may have; a consumer"
        " that destroys itself only returns (EIP-6780)",
    ),
    Attack(
        122,
        "too little gas for the callback",
        {
            f"{_ORACLE}_Fulfill_RevertWhen_TheGasLeftIsTooLittleForTheCallback": (
                "InsufficientGas",
            ),
            f"{_ORACLE}Fuzz_Fulfill_WithLittleGas_NeverMakesASoundCallbackFail": (),
        },
    ),
    Attack(
        123,
        "a callback that comes back in",
        {
            f"{_REENTRY}ComesBackIntoNoFunctionOfTheOracle": ("ReentrancyGuardReentrantCall",),
            f"{_REENTRY}ComesBackInNeitherByARefundNorByARetry": ("ReentrancyGuardReentrantCall",),
            f"{_REENTRY}ComesBackIntoNoFunctionOfTheBatches": ("ReentrancyGuardReentrantCall",),
        },
    ),
    Attack(
        124,
        "a callback to somebody else",
        {
            f"{_ORACLE}Fuzz_OnResult_RevertWhen_TheCallerIsNotTheOracle": ("NotTheOracle",),
            f"{_ORACLE}_Request_RevertWhen_TheRequesterIsNoConsumer": ("NotAConsumer",),
        },
        "the function is fixed, and called is whoever made the request",
    ),
    Attack(
        125,
        "another prompt, other weights",
        {
            f"{_ORACLE}_Fulfill_RevertWhen_AFieldIsNotTheRequests": ("WrongInput", "WrongModel"),
            f"{_SOL}Models.t.sol::testFuzz_Fulfill_RevertWhen_TheWeightsAreOthers": (
                "WrongWeights",
            ),
            f"{_BRIDGE}workers.py::test_the_input_commitment_is_computed_here_and_not_believed": (
                "WRONG_INPUT",
            ),
            f"{_BRIDGE}relayer_inputs.py::"
            "test_what_is_not_what_was_committed_to_is_handed_to_no_worker": ("AWAITING",),
        },
    ),
    Attack(
        126,
        "an output that costs more than the fee",
        {
            f"{_ORACLE}_Fulfill_RevertWhen_TheOutputIsTooLong": ("OutputTooLarge",),
            f"{_ORACLE}_Request_RevertWhen_TheInputIsTooLong": ("InputTooLarge",),
            f"{_BRIDGE}workers.py::test_a_hostile_worker_costs_bounded_time_and_memory": (
                "BROKEN_ANSWER",
            ),
        },
    ),
    Attack(
        127,
        "a request that a reorg takes",
        {
            f"{_REORGS}a_reorg_that_drops_the_request_orphans_the_job_until_it_is_made_again": (
                "ORPHANED",
            ),
            f"{_REORGS}a_request_that_a_reorg_replaced_by_another_is_not_given_the_old_answer": (),
            f"{_RELAYER}nobody_is_asked_before_the_request_has_its_confirmations": (),
        },
        "an id is the hash of the request, so an answer fits no other one",
    ),
)

_ECONOMICS = (
    Attack(
        159,
        "garbage for the verifier",
        {
            "tests/fuzz/test_fuzz.py::test_the_cost_of_garbage_is_measured": (),
            "tests/fuzz/test_fuzz.py::test_bombs_are_refused_in_bounded_memory": (),
            "tests/enclave/test_worker_limits.py::test_too_many_at_once_are_told_to_come_again": (
                "429",
            ),
        },
        "nobody serves verification to strangers, so no rate is limited; memory is bounded, time is"
        " measured (`make bench-garbage`) but not asserted: the machine would decide",
    ),
    Attack(
        160,
        "a genuine quote again and again",
        {
            "tests/verifier/test_fast.py::test_genuine_quotes_get_the_same_verdict_thrice": (),
            "tests/verifier/test_fast.py::"
            "test_memories_are_bounded_and_forget_the_least_recently_used": (),
            f"{_SOL}WorkerRegistry.t.sol::test_Register_RevertWhen_TheQuoteIsNoNewer": (
                "QuoteNotNewer",
            ),
        },
        "what was proven is kept with the collateral that proved it, and bounded",
    ),
    Attack(
        161,
        "garbage for the chain",
        {
            "tests/contracts/dcap/test_store.py::test_nothing_unsigned_is_stored": (),
            "tests/contracts/dcap/test_attacks.py::"
            "test_95_a_transaction_that_runs_out_of_gas_keeps_nothing": (),
            "tests/contracts/dcap/test_attacks.py::"
            "test_101_enormous_evidence_is_refused_within_a_transaction": (),
        },
        "whoever sends it pays, and a revert keeps no event",
    ),
    Attack(
        162,
        "a base fee that jumps",
        {
            f"{_FAULTS}at_the_fee_cap_the_same_bytes_stay_in_the_pool": ("FEE_CAP_REACHED",),
            f"{_FAULTS}a_stuck_transaction_is_replaced_with_both_fees_raised": ("FEES_RAISED",),
            "tests/faults/test_proxy.py::test_kills_on_a_bad_day_lose_and_double_nothing": (),
        },
        "it waits in the pool, or is replaced up to the cap; the deadline ends it, not the price",
    ),
    Attack(
        163,
        "a token that takes its share or comes back in",
        {
            f"{_ESCROW}_Request_RevertWhen_TheTokenTakesAFeeOfItsOwn": ("TokenTakesFees",),
            f"{_ESCROW}_Request_RevertWhen_TheTokenReenters": ("ReentrancyGuardReentrantCall",),
            f"{_ESCROW}_Request_RevertWhen_TheTokenIsNotAccepted": ("TokenNotAccepted",),
        },
    ),
    Attack(
        164,
        "many requests for nothing",
        {
            f"{_ESCROW}_Request_RevertWhen_TheAccountAsksTooOften": ("QuotaExceeded",),
            f"{_ESCROW}_Request_RevertWhen_TheAppIsAskedTooOften": ("QuotaExceeded",),
            f"{_ESCROW}_Request_RevertWhen_TheFeeIsTooSmall": ("FeeTooSmall",),
        },
        "an app has a bucket of its own, whoever asks, and a request costs its least fee",
    ),
    Attack(
        165,
        "a refund twice, or after an answer",
        {
            f"{_SOL}EscrowInvariants.t.sol::invariant_TheLedgerBalances": (),
            f"{_ORACLE}_Refund_RefundsAndTellsTheConsumer": ("AlreadyRefunded",),
            f"{_SOL}Disputes.t.sol::test_Refund_GivesBackWhatIsLeft": (),
        },
        "every wei is an account's, an open request's, or was paid out",
    ),
    Attack(
        166,
        "rounding in the split",
        {
            f"{_ESCROW}Fuzz_Fulfill_PaysByUse": (),
            f"{_SOL}Rounds.t.sol::testFuzz_FulfillByQuorum_PaysAllWhoCountedWhoeverSends": (),
            f"{_SOL}EscrowInvariants.t.sol::invariant_TheLedgerBalances": (),
        },
        "shares and what is left are compared with what was put up, to the wei",
    ),
    Attack(
        167,
        "a callback made to fail, to keep the fee",
        {
            f"{_ORACLE}Fuzz_Callback_APoisonousConsumerHurtsOnlyItself": ("Failed",),
            f"{_ORACLE}_Fulfill_RevertWhen_TheGasLeftIsTooLittleForTheCallback": (
                "InsufficientGas",
            ),
            f"{_ORACLE}Fuzz_Fulfill_WithLittleGas_NeverMakesASoundCallbackFail": (),
            f"{_ORACLE}_RetryCallback_RevertWhen_ItMayNot": ("NotTheRequester",),
        },
    ),
    Attack(
        168,
        "one account that floods, one nonce that is stuck",
        {
            f"{_BRIDGE}relayer_fairness.py::"
            "test_whoever_asks_little_waits_for_one_of_the_others_a_turn": ("bound",),
            f"{_BRIDGE}relayer_lanes.py::"
            "test_an_account_without_money_holds_up_its_own_deliveries_only": (),
            f"{_BRIDGE}relayer_inputs.py::test_many_that_wait_hold_up_nobody": ("AWAITING",),
        },
        "the bound is stated and asserted by place",
    ),
)

RESULT_ATTACKS = (*_CONSUMERS, *_ECONOMICS)
"""All cases in order."""
