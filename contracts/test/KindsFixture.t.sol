// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";

import {IQuoteVerifier} from "../src/interfaces/IQuoteVerifier.sol";
import {Policy} from "../src/interfaces/ITcbPolicy.sol";
import {ProofKind} from "../src/types/ProofKind.sol";
import {Verdict} from "../src/types/Verdict.sol";
import {WorkerBinding} from "../src/types/WorkerBinding.sol";
import {PolicyFixture} from "./PolicyFixture.t.sol";

/// @notice A verifier that another kind of proof would take the place of: it asks the committee.
contract VerifierOfKind is IQuoteVerifier {
    IQuoteVerifier private immutable COMMITTEE;
    ProofKind public immutable kind;

    constructor(IQuoteVerifier committee, ProofKind kind_) {
        COMMITTEE = committee;
        kind = kind_;
    }

    function verify(bytes calldata evidence, bytes calldata proof)
        external
        view
        returns (Verdict memory)
    {
        return COMMITTEE.verify(evidence, proof);
    }

    function supportsInterface(bytes4 id) external pure returns (bool) {
        return id == type(IQuoteVerifier).interfaceId || id == type(IERC165).interfaceId;
    }
}

/// @notice A deployment with a route of each real kind, whose app wants two of them to stand together.
abstract contract KindsFixture is PolicyFixture {
    bytes4 internal constant ZK = "ZkR0";
    bytes4 internal constant ON_CHAIN = "OnCh";

    function setUp() public virtual override {
        super.setUp();
        _openRoutes();
        _publish(_together(2), true);
    }

    function _openRoutes() internal {
        VerifierOfKind zk = new VerifierOfKind(committee, ProofKind.Zk);
        VerifierOfKind onChain = new VerifierOfKind(committee, ProofKind.OnChain);
        vm.startPrank(GOVERNOR);
        router.addRoute(ZK, zk);
        router.addRoute(ON_CHAIN, onChain);
        vm.stopPrank();
    }

    function _together(uint8 needed) internal pure returns (Policy memory made) {
        made = _policy();
        made.kindsNeeded = needed;
    }

    /// @dev Evidence for the worker in one more kind, as good as that of its registration.
    function _corroborate(bytes4 route) internal {
        WorkerBinding memory binding = _binding();
        _corroborate(route, _boundVerdict(worker, binding), binding);
    }

    function _corroborate(bytes4 route, Verdict memory verdict, WorkerBinding memory binding)
        internal
    {
        bytes memory journal = abi.encode(verdict);
        bytes memory proof = _proof(journal);
        corroborations.corroborate(route, journal, proof, binding);
    }
}
