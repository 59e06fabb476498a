// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @notice What may be paid with, and how little.
struct TokenTerms {
    /// @dev Zero for ether.
    address token;
    /// @dev The least a request puts up, in the token's smallest unit.
    uint96 minFee;
}

/// @notice How many requests there may be, as token buckets: a burst, refilled at a rate.
struct QuotaTerms {
    uint32 accountBurst;
    uint32 accountPerHour;
    uint32 appBurst;
    uint32 appPerHour;
}

/// @title IEscrow
/// @notice Holds what requests put up, pays by credit, and bounds how many requests there are.
/// @dev Credits are fetched with {withdraw}; nothing is pushed. Tokens are fixed at deployment. One
/// that takes a fee of its own on transfers is refused where it does; one whose balances move by
/// themselves must not be among them.
interface IEscrow {
    /// @notice `account` fetched its credit, to `to`.
    event Withdrawn(
        address indexed token, address indexed account, address indexed to, uint256 amount
    );

    /// @notice The oracle takes no such token.
    /// @custom:remedy Pay with a token of {minFeeOf}; the zero address is ether.
    error TokenNotAccepted(address token);

    /// @notice The request puts up less than the oracle's minimum.
    /// @custom:remedy Offer at least `minimum`.
    error FeeTooSmall(uint256 actual, uint256 minimum);

    /// @notice The ether sent is not what the request puts up.
    /// @custom:remedy Send exactly `expected` wei: none where a token pays.
    error WrongValue(uint256 actual, uint256 expected);

    /// @notice The token delivered less than it was told to transfer.
    /// @custom:remedy Pay with a token that takes no fee of its own.
    error TokenTakesFees(uint256 received, uint256 expected);

    /// @notice The account or the app made too many requests.
    /// @custom:remedy Try again at `retryAt`, Unix seconds.
    error QuotaExceeded(bytes32 subject, uint256 retryAt);

    /// @notice A quota fixed at deployment lets nothing through.
    /// @custom:remedy Give bursts and rates above zero.
    error QuotaMissing();

    /// @notice The account has no credit.
    /// @custom:remedy Nothing is left to do.
    error NoCredit(address account);

    /// @notice Sends the caller's whole credit in `token` to `to`.
    function withdraw(address token, address payable to) external;

    /// @notice What `account` may withdraw of `token`, in its smallest unit.
    function creditOf(address token, address account) external view returns (uint256);

    /// @notice Whether requests may pay with `token`, and the least they put up.
    function minFeeOf(address token) external view returns (bool accepted, uint96 minFee);

    /// @notice How many requests `account` made.
    function sequenceOf(address account) external view returns (uint64);
}
