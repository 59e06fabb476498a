// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ProofKind} from "../types/ProofKind.sol";
import {Verdict} from "../types/Verdict.sol";
import {IReporting} from "./IReporting.sol";
import {IQuoteVerifier} from "./IQuoteVerifier.sol";

/// @notice What may be done with a route. It only ever moves to the right.
enum RouteStatus {
    Unknown,
    Active,
    Frozen
}

/// @title IVerifierRouter
/// @notice The ways to verify a quote that a deployment accepts, each under a 4-byte route.
/// @dev A route is never re-pointed: a new verifier gets a new route.
/// @dev INTEGRATOR RESPONSIBILITIES. The router answers for the root of trust and for the state of the
/// route. Whoever keeps something on the strength of a verdict must keep its route too, and ask for
/// `statusOf` when using it: freezing a route is how a broken verifier is taken out.
interface IVerifierRouter is IReporting {
    /// @notice `route` now leads to `verifier`.
    event RouteAdded(bytes4 indexed route, address indexed verifier, ProofKind kind);

    /// @notice `route` is shut, for ever. `from` says whether it was ever open.
    event RouteFrozen(bytes4 indexed route, RouteStatus from, address indexed by);

    /// @notice The route is not in the state this step needs.
    /// @custom:remedy Use an active route; a frozen one never opens again, so add a new one.
    error RouteNotActive(bytes4 route, RouteStatus actual);

    /// @notice The route was used before.
    /// @custom:remedy Choose a route that was never used: routes are never re-pointed.
    error RouteAlreadyUsed(bytes4 route, RouteStatus actual);

    /// @notice The address is no quote verifier.
    /// @custom:remedy Give a deployed contract that answers for {IQuoteVerifier} by ERC-165.
    error NotAVerifier(address account);

    /// @notice This deployment accepts no stub proofs, ever.
    /// @custom:remedy Use a real proof; only a development deployment has `allowStub`.
    error StubNotAllowed(bytes4 route);

    /// @notice The verdict rests on a root key that this deployment does not trust.
    /// @custom:remedy Submit evidence under a trusted root; evidence of a simulator never counts here.
    error RootKeyNotTrusted(bytes32 rootKeyHash);

    /// @notice No trusted root, or too many, or a zero or repeated one, was given at deployment.
    /// @custom:remedy Give each root key's hash once.
    error RootKeysInvalid();

    /// @notice Opens `route` to `verifier`, whose kind is read now, once. Governor only.
    function addRoute(bytes4 route, IQuoteVerifier verifier) external;

    /// @notice Shuts `route` for ever, even one that was never opened. Governor or guardian.
    function freeze(bytes4 route) external;

    /// @notice Judges `evidence` by `proof` on `route`: returns the verdict and who reached it, or
    /// reverts with the reason.
    function verify(bytes4 route, bytes calldata evidence, bytes calldata proof)
        external
        view
        returns (Verdict memory verdict, ProofKind kind);

    /// @notice What may be done with `route` now.
    function statusOf(bytes4 route) external view returns (RouteStatus);

    /// @notice Where `route` leads, or led before it was frozen.
    function verifierOf(bytes4 route) external view returns (IQuoteVerifier);

    /// @notice Who checks the evidence on `route`.
    function kindOf(bytes4 route) external view returns (ProofKind);

    /// @notice Whether verdicts under the root key with this hash count.
    function isTrustedRoot(bytes32 rootKeyHash) external view returns (bool);

    /// @notice Whether routes of kind `Stub` can be added. Fixed at deployment.
    function ALLOW_STUB() external view returns (bool);
}
