// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Payment, Quorum, Request, RequestLib, Rule} from "../src/types/Request.sol";
import {Result, ResultLib} from "../src/types/Result.sol";
import {Base} from "./Base.t.sol";

/// @notice The hashes that are taken in calldata are those of the plain encoder.
contract RequestLibTest is Base {
    /// forge-config: default.fuzz.runs = 128
    function testFuzz_IdOfCalldata_IsIdOf(bytes32 seed, uint8 count, uint128 wide) public view {
        Request memory made;
        (made.appId, made.modelId, made.inputCommitment) =
        (seed, ~seed, keccak256(abi.encode(seed)));
        (made.requester, made.deadline) = (address(uint160(uint256(seed))), uint64(wide));
        made.payment = Payment(made.requester, address(this), uint96(wide), type(uint96).max, 1);
        made.quorum = Quorum(count, 255, 1, 0, Rule(count % 3), wide);
        made.workers = new address[](count % 20);
        for (uint256 i = 0; i < made.workers.length; ++i) {
            made.workers[i] = address(uint160(uint256(keccak256(abi.encode(seed, i)))));
        }
        vm.assertEq(this.idAmidDirt(made, ~seed), this.plainId(made));
    }

    /// forge-config: default.fuzz.runs = 128
    function testFuzz_HashCalldata_IsHash(Result memory result, bytes32 dirt) public view {
        vm.assertEq(this.hashAmidDirt(result, dirt), ResultLib.hash(result));
    }

    /// forge-config: default.fuzz.runs = 128
    function testFuzz_HashInPlace_IsHashAndLeavesMemoryAsItWas(Result memory result, bytes32 before)
        public
        pure
    {
        bytes32[] memory filler = new bytes32[](1);
        filler[0] = before;
        Result memory copied = Result({
            requestId: result.requestId,
            appId: result.appId,
            modelId: result.modelId,
            weightsRoot: result.weightsRoot,
            inputCommitment: result.inputCommitment,
            outputHash: result.outputHash,
            decision: result.decision,
            round: result.round,
            keyEpoch: result.keyEpoch,
            policyVersion: result.policyVersion,
            worker: result.worker,
            units: result.units,
            nonce: result.nonce,
            deadline: result.deadline
        });
        vm.assertEq(ResultLib.hashInPlace(copied), ResultLib.hash(result));
        vm.assertEq(filler[0], before);
    }

    /// @dev Two encodings of one request would be two ways to name it.
    function test_IdOfCalldata_RevertWhen_TheWorkersAreElsewhere() public {
        Request memory made;
        made.workers = new address[](1);
        bytes memory call = abi.encodeCall(this.idAmidDirt, (made, 0));
        (bool ok,) = address(this).call(call);
        vm.assertTrue(ok);
        // The offset of the workers, after the selector, the two words of head and 19 of the request.
        uint256 at = 4 + 2 * 32 + 19 * 32;
        bytes memory moved = abi.encodePacked(call, uint256(0), uint256(0));
        vm.assertEq(uint256(uint8(moved[at + 30])) * 256 + uint8(moved[at + 31]), 640);
        // 32 bytes later stands the worker's address, which is zero: a list of none.
        (moved[at + 30], moved[at + 31]) = (bytes1(uint8(672 >> 8)), bytes1(uint8(672 & 255)));
        (bool taken, bytes memory failure) = address(this).call(moved);
        vm.assertFalse(taken);
        vm.assertEq(bytes32(bytes4(failure)), bytes32(RequestLib.RequestNotCanonical.selector));
    }

    function idAmidDirt(Request calldata made, bytes32 dirt) external view returns (bytes32) {
        _soil(dirt);
        return RequestLib.idOfCalldata(made);
    }

    function hashAmidDirt(Result calldata result, bytes32 dirt) external pure returns (bytes32) {
        _soil(dirt);
        return ResultLib.hashCalldata(result);
    }

    function plainId(Request memory made) external view returns (bytes32) {
        return RequestLib.idOf(made);
    }

    /// @dev Leaves `dirt` where the libraries will write.
    function _soil(bytes32 dirt) private pure {
        assembly ("memory-safe") {
            let start := mload(0x40)
            for { let i := 0 } lt(i, 0x800) { i := add(i, 0x20) } { mstore(add(start, i), dirt) }
        }
    }
}
