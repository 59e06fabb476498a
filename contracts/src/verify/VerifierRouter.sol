// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";
import {ERC165Checker} from "@openzeppelin/contracts/utils/introspection/ERC165Checker.sol";

import {IChangeLog} from "../interfaces/IChangeLog.sol";
import {IGoverned} from "../interfaces/IGoverned.sol";
import {IQuoteVerifier} from "../interfaces/IQuoteVerifier.sol";
import {IVerifierRouter, RouteStatus} from "../interfaces/IVerifierRouter.sol";
import {Reporting} from "../registry/Reporting.sol";
import {ProofKind} from "../types/ProofKind.sol";
import {Verdict} from "../types/Verdict.sol";

/// @title VerifierRouter
/// @notice The ways to verify a quote that a deployment accepts, each under a 4-byte route.
contract VerifierRouter is IVerifierRouter, Reporting, ERC165 {
    /// @dev One storage slot.
    struct Route {
        IQuoteVerifier verifier;
        ProofKind kind;
        RouteStatus status;
    }

    /* CONSTANTS */

    /// @dev Intel's root, its successor, and a few vendors yet to come.
    uint256 private constant MAX_ROOT_KEYS = 16;

    /* IMMUTABLES */

    /// @inheritdoc IVerifierRouter
    bool public immutable ALLOW_STUB;

    /* STORAGE */

    /// @inheritdoc IVerifierRouter
    /// @dev Written by the constructor alone.
    mapping(bytes32 rootKeyHash => bool) public isTrustedRoot;

    mapping(bytes4 route => Route) private _routes;

    /* CONSTRUCTOR */

    constructor(
        address governor,
        address guardian,
        IChangeLog log,
        bool allowStub,
        bytes32[] memory rootKeyHashes
    ) Reporting(governor, guardian, log) {
        uint256 count = rootKeyHashes.length;
        require(count != 0 && count <= MAX_ROOT_KEYS, RootKeysInvalid());
        for (uint256 i = 0; i < count; ++i) {
            bytes32 hash = rootKeyHashes[i];
            require(hash != 0 && !isTrustedRoot[hash], RootKeysInvalid());
            isTrustedRoot[hash] = true;
        }
        ALLOW_STUB = allowStub;
    }

    /* ROUTES */

    /// @inheritdoc IVerifierRouter
    function addRoute(bytes4 route, IQuoteVerifier verifier) external {
        _requireGovernor();
        require(address(verifier) != address(0), ZeroAddress());
        RouteStatus actual = _routes[route].status;
        require(actual == RouteStatus.Unknown, RouteAlreadyUsed(route, actual));
        require(
            ERC165Checker.supportsInterface(address(verifier), type(IQuoteVerifier).interfaceId),
            NotAVerifier(address(verifier))
        );
        ProofKind kind = verifier.kind();
        require(kind != ProofKind.None, NotAVerifier(address(verifier)));
        require(ALLOW_STUB || kind != ProofKind.Stub, StubNotAllowed(route));
        _routes[route] = Route(verifier, kind, RouteStatus.Active);
        emit RouteAdded(route, address(verifier), kind);
        _widened(route);
    }

    /// @inheritdoc IVerifierRouter
    function freeze(bytes4 route) external {
        _requireGovernorOrGuardian();
        RouteStatus from = _routes[route].status;
        require(from != RouteStatus.Frozen, RouteNotActive(route, from));
        _routes[route].status = RouteStatus.Frozen;
        emit RouteFrozen(route, from, msg.sender);
        _narrowed(route, from == RouteStatus.Active);
    }

    /* VERIFICATION */

    /// @inheritdoc IVerifierRouter
    function verify(bytes4 route, bytes calldata evidence, bytes calldata proof)
        external
        view
        returns (Verdict memory verdict, ProofKind kind)
    {
        Route memory leg = _routes[route];
        require(leg.status == RouteStatus.Active, RouteNotActive(route, leg.status));
        verdict = leg.verifier.verify(evidence, proof);
        require(isTrustedRoot[verdict.rootKeyHash], RootKeyNotTrusted(verdict.rootKeyHash));
        kind = leg.kind;
    }

    /* VIEWS */

    /// @inheritdoc IVerifierRouter
    function statusOf(bytes4 route) external view returns (RouteStatus) {
        return _routes[route].status;
    }

    /// @inheritdoc IVerifierRouter
    function verifierOf(bytes4 route) external view returns (IQuoteVerifier) {
        return _routes[route].verifier;
    }

    /// @inheritdoc IVerifierRouter
    function kindOf(bytes4 route) external view returns (ProofKind) {
        return _routes[route].kind;
    }

    /// @notice ERC-165.
    function supportsInterface(bytes4 interfaceId) public view override returns (bool) {
        return interfaceId == type(IVerifierRouter).interfaceId
            || interfaceId == type(IGoverned).interfaceId || super.supportsInterface(interfaceId);
    }
}
