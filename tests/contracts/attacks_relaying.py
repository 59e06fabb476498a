"""The catalogue of attacks on relaying and on interfaces: cases 169 to 200."""

from __future__ import annotations

from tests.contracts.attacks_admission import AdmissionAttack as Attack

__all__ = ["RELAYING_ATTACKS"]

_BRIDGE = "tests/bridge/test_"
_RELAYER = f"{_BRIDGE}relayer.py::test_"
_FAULTS = f"{_BRIDGE}relayer_faults.py::test_"
_REORGS = f"{_BRIDGE}relayer_reorgs.py::test_"
_STORE = f"{_BRIDGE}store.py::test_"
_API = f"{_BRIDGE}api.py::test_"
_CHAIN = f"{_BRIDGE}chain.py::test_"
_NODES = f"{_BRIDGE}several_nodes.py::test_"
_KILLS = "tests/faults/test_crashes.py::test_"
_FETCH = "tests/verifier/fetch/test_"
_COMPOSE = "tests/verifier/workloads/test_compose.py::test_"
_HERE = "tests/contracts/test_attacks_results.py::test_"

_CHAIN_FAULTS = (
    Attack(
        169,
        "killed between commit and send",
        {
            f"{_BRIDGE}relayer_machine.py::"
            "test_a_kill_around_the_broadcast_loses_and_doubles_nothing": (),
            f"{_KILLS}kills_anywhere_lose_and_double_nothing": (),
        },
        "the oracle of the harness: nothing lost, nothing doubled, no gap",
    ),
    Attack(
        170,
        "killed between send and record",
        {
            f"{_KILLS}kills_anywhere_lose_and_double_nothing": (),
            f"{_KILLS}the_harness_catches_a_relayer_that_sends_before_it_commits": (),
            f"{_FAULTS}nothing_is_sent_that_the_store_does_not_hold": (),
        },
        "a relayer built to send first is caught",
    ),
    Attack(
        171,
        "a nonce too low that is our own",
        {
            f"{_FAULTS}a_lost_answer_to_a_broadcast_doubles_nothing": (),
            f"{_FAULTS}a_nonce_that_somebody_else_used_is_given_up_at_finality_only": (
                "NONCE_LOST",
            ),
        },
    ),
    Attack(
        172,
        "a gap below our nonces",
        {
            f"{_REORGS}a_gap_below_our_nonces_is_closed": (),
            f"{_FAULTS}a_transaction_that_the_pool_dropped_is_sent_again": (),
        },
        "the bytes that are missing are sent again; no nonce is passed over",
    ),
    Attack(
        173,
        "a replacement that is underpriced",
        {
            f"{_FAULTS}an_underpriced_replacement_is_raised_at_once": ("TRANSACTION_HELD",),
            "tests/faults/test_proxy.py::test_replacements_must_raise_both_fees_by_a_tenth": (),
        },
    ),
    Attack(
        174,
        "a raise that is forgotten",
        {
            f"{_STORE}signed_bytes_and_results_are_only_ever_added": (),
            f"{_STORE}a_replacement_is_another_attempt_of_the_same_nonce": (),
        },
        "the record of what was signed only grows",
    ),
    Attack(
        175,
        "a transaction that stays stuck",
        {
            f"{_FAULTS}at_the_fee_cap_the_same_bytes_stay_in_the_pool": ("FEE_CAP_REACHED",),
            f"{_FAULTS}a_delivery_that_no_node_takes_frees_its_nonce_and_rests": (),
        },
    ),
    Attack(
        176,
        "a reorg that takes our transaction",
        {
            f"{_REORGS}a_reorg_that_drops_our_transaction_sends_the_same_bytes_again": ("REORGED",),
            f"{_KILLS}nobody_else_answers_twice_when_a_reorg_gives_transactions_back": (),
        },
    ),
    Attack(
        177,
        "a reorg below finality",
        {
            f"{_REORGS}a_reorg_below_finality_stops_the_relayer": ("FINALITY_VIOLATION",),
            f"{_BRIDGE}relayer_witnesses.py::"
            "test_nothing_is_final_that_a_witness_does_not_confirm": ("FINALITY_UNCONFIRMED",),
        },
    ),
    Attack(
        178,
        "a node that lies",
        {
            f"{_CHAIN}a_node_that_confirms_another_transaction_is_not_believed": (
                "RPC_BROKEN_ANSWER",
            ),
            f"{_CHAIN}a_chain_that_changes_its_id_is_noticed_before_the_next_send": (
                "WRONG_CHAIN",
            ),
            f"{_NODES}what_is_final_is_agreed_by_two_and_denied_by_none": ("FINALITY_UNCONFIRMED",),
            "tests/faults/test_proxy.py::test_nothing_is_sent_to_another_chain": (),
        },
    ),
    Attack(
        179,
        "a node that lags",
        {
            f"{_REORGS}a_node_that_lags_is_not_taken_for_a_reorg": ("NODE_BEHIND",),
            f"{_NODES}a_node_that_lags_is_set_aside": (),
        },
    ),
    Attack(
        180,
        "a node that drops, delays and fails",
        {
            "tests/faults/test_proxy.py::test_kills_on_a_bad_day_lose_and_double_nothing": (),
            f"{_CHAIN}broken_answers_are_transient": ("RPC_BROKEN_ANSWER",),
            f"{_CHAIN}a_silent_node_times_out": ("RPC_TIMEOUT",),
            f"{_RELAYER}a_cycle_that_fails_is_repeated": (),
        },
    ),
    Attack(
        181,
        "every client's own words",
        {
            f"{_BRIDGE}client_words.py::test_every_client_is_understood": (),
            f"{_CHAIN}the_words_of_every_client_mean_one_thing": (),
            f"{_CHAIN}no_rule_hides_another": (),
        },
        "a table, of which each line is tested",
    ),
    Attack(
        182,
        "a job twice",
        {
            f"{_STORE}a_job_cannot_be_added_twice": (),
            f"{_BRIDGE}relayer_many.py::test_two_that_read_the_same_block_make_one_job": (),
        },
        "a job is known by its request, and a request by its hash",
    ),
    Attack(
        183,
        "an event that is missed",
        {
            f"{_RELAYER}a_restart_goes_on_from_the_store": (),
            f"{_REORGS}a_node_that_answers_short_ranges_only_is_read_in_pieces": (),
            f"{_BRIDGE}relayer_restored.py::test_a_record_from_yesterday_doubles_nothing": (),
        },
        "every block that is not final is read anew, from the anchor on",
    ),
    Attack(
        184,
        "a clock that jumps",
        {
            f"{_BRIDGE}relayer_twins.py::test_a_clock_that_jumps_disturbs_nobody": (),
            f"{_BRIDGE}relayer_twins.py::"
            "test_a_clock_ahead_takes_over_too_early_and_doubles_nothing": (),
        },
        "it serves leases only: the chain's time decides what is valid",
    ),
    Attack(
        185,
        "a database that is locked",
        {
            f"{_BRIDGE}relayer_plans.py::test_a_locked_database_is_ridden_out": (),
            f"{_BRIDGE}store_file.py::test_a_lock_that_outlasts_our_patience_is_transient": (
                "StoreUnavailableError",
            ),
        },
    ),
    Attack(
        186,
        "a disk that is full",
        {
            f"{_BRIDGE}relayer_machine.py::test_a_full_disk_loses_nothing_and_is_ridden_out": (),
            f"{_BRIDGE}store_file.py::test_an_unwritable_path_is_a_matter_of_configuration": (
                "FILE_UNREADABLE",
            ),
            "tests/enclave/test_worker_restarts.py::test_what_could_not_be_kept_is_not_shown": (
                "state_unavailable",
            ),
        },
    ),
    Attack(
        187,
        "a damaged database, or an old copy of it",
        {
            f"{_BRIDGE}store_file.py::test_a_damaged_file_is_refused": ("FILE_UNREADABLE",),
            f"{_BRIDGE}store_file.py::test_a_file_with_a_damaged_page_is_refused": (
                "FILE_UNREADABLE",
            ),
            f"{_BRIDGE}relayer_restored.py::test_a_record_from_yesterday_doubles_nothing": (),
        },
    ),
    Attack(
        188,
        "two that hold one account",
        {
            f"{_STORE}a_relayer_that_lost_its_lease_writes_nothing": ("SIGNER_LEASE_HELD",),
            f"{_BRIDGE}relayer_twins.py::test_a_frozen_twin_that_wakes_up_doubles_nothing": (),
            f"{_BRIDGE}store_postgres.py::test_of_many_machines_one_gets_the_lease": (),
        },
    ),
)

_INTERFACES = (
    Attack(
        189,
        "a request to somewhere inside",
        {
            f"{_FETCH}settings.py::test_hosts_off_the_list_are_refused": ("HOST_NOT_ALLOWED",),
            f"{_FETCH}settings.py::test_distribution_point_is_held_to_the_list_too": (),
            f"{_FETCH}faults.py::test_bad_answers_are_refused_at_once": ("ANSWERS",),
            f"{_BRIDGE}registration.py::test_a_redirect_is_not_followed": (),
            f"{_CHAIN}a_redirect_is_not_followed": (),
        },
        "no address comes from a quote, a certificate, the chain or a worker",
    ),
    Attack(
        190,
        "TLS without its check",
        {
            f"{_FETCH}tls.py::test_tls_is_always_checked": (),
            f"{_FETCH}tls.py::test_old_tls_is_refused": (),
        },
        "there is no way to turn it off",
    ),
    Attack(
        191,
        "an answer that never ends",
        {
            f"{_FETCH}faults.py::test_slow_loris_ends_with_the_document_s_time": (),
            f"{_FETCH}faults.py::test_whole_call_is_bounded": (),
            f"{_BRIDGE}workers.py::test_a_hostile_worker_costs_bounded_time_and_memory": (
                "TIMEOUT",
            ),
            "tests/enclave/test_worker_limits.py::test_a_body_that_never_ends_is_cut": (
                "body_too_slow",
            ),
        },
    ),
    Attack(
        192,
        "a path that leads out",
        {
            f"{_FETCH}cache.py::test_links_out_of_the_cache_are_refused": (),
            f"{_BRIDGE}accounts.py::test_an_account_name_is_no_path": (),
            f"{_BRIDGE}relayer_inputs.py::test_inputs_are_handed_in_over_http": ("BadParameter",),
            "tests/verifier/workloads/test_live.py::test_ids_that_are_no_path_segment": (),
        },
    ),
    Attack(
        193,
        "a file of settings that bites",
        {
            f"{_COMPOSE}hostile_yaml_raises_only_our_errors": (),
            f"{_COMPOSE}floods_are_refused_before_any_work": (),
            "tests/verifier/test_policy_file.py::test_what_is_wrong_is_named_by_its_key_path": (),
        },
        "policies are TOML or JSON; compose files are read as events, by their tags' names",
    ),
    Attack(
        194,
        "a pickle in a record",
        {
            f"{_HERE}194_nothing_is_pickled": ("pickle",),
            "tests/enclave/test_worker_keys.py::test_nothing_shows_a_private_key": ("pickle",),
        },
    ),
    Attack(
        195,
        "markup in what a page shows",
        {
            "tests/verifier/test_explain_shown.py::"
            "test_the_page_is_well_formed_and_carries_nothing_active": ("CANARY",),
        },
        "the one page there is, of an explained verdict",
    ),
    Attack(
        196,
        "a page of somebody else that asks",
        {
            f"{_API}pages_of_others_learn_and_do_nothing": ("access-control-allow-origin",),
            f"{_API}others_reach_it_with_a_token_only": ("ConfigurationError",),
        },
    ),
    Attack(
        197,
        "a token guessed, timed or read",
        {
            f"{_API}with_a_token_only_health_is_open": ("401",),
            f"{_API}no_secret_leaves_a_relayer_at_work": ("TOKEN",),
            f"{_HERE}197_tokens_are_compared_in_constant_time": ("compare_digest",),
        },
    ),
    Attack(
        198,
        "questions that make no sense",
        {f"{_API}every_answer_is_what_the_interface_says": ("call_and_validate",)},
    ),
    Attack(
        199,
        "labels without end",
        {f"{_API}metrics_are_there_from_the_start_and_take_no_other_label": ("ValueError",)},
    ),
    Attack(
        200,
        "control characters",
        {
            "tests/verifier/test_cli.py::test_control_characters_never_reach_the_terminal": (),
            f"{_BRIDGE}relayer_registered.py::"
            "test_an_input_is_handed_in_by_the_command_that_asks": (),
            f"{_BRIDGE}registration.py::"
            "test_a_refusal_is_told_in_the_workers_words_and_harmless": (),
        },
        "they are shown as what they are, escaped",
    ),
)

RELAYING_ATTACKS = (*_CHAIN_FAULTS, *_INTERFACES)
"""All cases in order."""
