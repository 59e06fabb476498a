// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IEscrow, QuotaTerms} from "../interfaces/IEscrow.sol";

/// @title Quotas
/// @notice Token buckets over requests, one per account and one per app.
/// @dev A bucket is kept as one number: the time at which it would be full again (the generic cell
/// rate algorithm, ITU-T I.371). Every request moves it one interval on; it may lie at most the
/// burst's intervals ahead.
abstract contract Quotas is IEscrow {
    /* CONSTANTS */

    /// @dev Rates above one a second need finer time than the block's.
    uint256 private constant MICROSECONDS = 1_000_000;

    /* IMMUTABLES */

    /// @notice How many requests an account may make at once.
    uint32 public immutable ACCOUNT_BURST;
    /// @notice How many requests an account may make in the long run, per hour.
    uint32 public immutable ACCOUNT_PER_HOUR;
    /// @notice How many requests an app may be asked at once.
    uint32 public immutable APP_BURST;
    /// @notice How many requests an app may be asked in the long run, per hour.
    uint32 public immutable APP_PER_HOUR;

    /* STORAGE */

    /// @dev `fullAt` in microseconds of Unix time.
    struct Account {
        uint64 sequence;
        uint128 fullAt;
    }

    mapping(address account => Account) private _accounts;
    mapping(bytes32 appId => uint256 fullAt) private _apps;

    /* CONSTRUCTOR */

    constructor(QuotaTerms memory terms) {
        require(
            terms.accountBurst != 0 && terms.accountPerHour != 0 && terms.appBurst != 0
                && terms.appPerHour != 0,
            QuotaMissing()
        );
        ACCOUNT_BURST = terms.accountBurst;
        ACCOUNT_PER_HOUR = terms.accountPerHour;
        APP_BURST = terms.appBurst;
        APP_PER_HOUR = terms.appPerHour;
    }

    /* VIEWS */

    /// @inheritdoc IEscrow
    function sequenceOf(address account) external view returns (uint64) {
        return _accounts[account].sequence;
    }

    /* USE */

    /// @dev Counts a request of `account` to `appId`; reverts with {QuotaExceeded}.
    /// @return sequence how many requests the account had made before.
    function _count(address account, bytes32 appId) internal returns (uint64 sequence) {
        Account memory kept = _accounts[account];
        bytes32 subject = bytes32(uint256(uint160(account)));
        sequence = kept.sequence;
        uint256 fullAt = _spend(kept.fullAt, ACCOUNT_BURST, ACCOUNT_PER_HOUR, subject);
        // Times have 64 bits of seconds at most, which fit 128 bits of microseconds.
        _accounts[account] = Account(sequence + 1, uint128(fullAt));
        _apps[appId] = _spend(_apps[appId], APP_BURST, APP_PER_HOUR, appId);
    }

    function _spend(uint256 fullAt, uint256 burst, uint256 perHour, bytes32 subject)
        private
        view
        returns (uint256)
    {
        uint256 time = block.timestamp * MICROSECONDS;
        // Rounded to whole microseconds.
        // slither-disable-next-line divide-before-multiply
        uint256 interval = 1 hours * MICROSECONDS / perHour;
        if (fullAt < time) fullAt = time;
        fullAt += interval;
        uint256 furthest = time + burst * interval;
        if (fullAt > furthest) {
            uint256 wait = (fullAt - furthest + MICROSECONDS - 1) / MICROSECONDS;
            revert QuotaExceeded(subject, block.timestamp + wait);
        }
        return fullAt;
    }
}
