// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

import {CommitteeVerifier} from "../src/committee/CommitteeVerifier.sol";
import {ResultOracle} from "../src/oracle/ResultOracle.sol";
import {Result, ResultLib} from "../src/types/Result.sol";
import {Deployment} from "./Deployment.t.sol";

contract Eip712Test is Deployment {
    string private constant VECTORS = "../tests/vectors/eip712.json";

    string private json;

    function setUp() public override {
        super.setUp();
        json = vm.readFile(VECTORS);
    }

    function test_TypeHashes_AreThoseOfTheVectors() public view {
        vm.assertEq(oracle.RESULT_TYPEHASH(), _typeHash(".types.Result"));
        vm.assertEq(
            committee.VERDICT_ATTESTATION_TYPEHASH(), _typeHash(".types.VerdictAttestation")
        );
    }

    function test_Digests_AreThoseOfTheVectors() public {
        uint256 results = 0;
        uint256 attestations = 0;
        string memory at = ".cases[0]";
        while (vm.keyExistsJson(json, at)) {
            vm.chainId(vm.parseJsonUint(json, string.concat(at, ".domain.chainId")));
            address place =
                vm.parseJsonAddress(json, string.concat(at, ".domain.verifyingContract"));
            bytes32 digest = vm.parseJsonBytes32(json, string.concat(at, ".digest"));
            if (vm.keyExistsJson(json, string.concat(at, ".message.requestId"))) {
                _checkResult(at, place, digest);
                ++results;
            } else {
                _checkAttestation(at, place, digest);
                ++attestations;
            }
            at = string.concat(".cases[", vm.toString(results + attestations), "]");
        }
        vm.assertEq(results, 4);
        vm.assertEq(attestations, 2);
    }

    function test_ModelIds_AreThoseOfTheVectors() public view {
        vm.assertEq(models.MODEL_TYPEHASH(), _typeHash(".types.Model"));
        for (uint256 i = 0; i < 2; ++i) {
            string memory at = string.concat(".models[", vm.toString(i), "].");
            bytes32 id = models.modelIdOf(
                _bytes32(at, "weightsRoot"),
                _bytes32(at, "tokenizerHash"),
                _bytes32(at, "configHash")
            );
            vm.assertEq(id, _bytes32(at, "modelId"));
        }
    }

    function _checkResult(string memory at, address place, bytes32 digest) private {
        Result memory result = _resultAt(string.concat(at, ".message."));
        vm.assertEq(
            ResultLib.hash(result), vm.parseJsonBytes32(json, string.concat(at, ".structHash"))
        );
        vm.etch(place, address(oracle).code);
        vm.assertEq(ResultOracle(place).resultDigest(result), digest);
        bytes memory signature = vm.parseJsonBytes(json, string.concat(at, ".signature"));
        vm.assertEq(ECDSA.recover(digest, signature), result.worker);
    }

    function _checkAttestation(string memory at, address place, bytes32 digest) private {
        bytes32 journalDigest =
            vm.parseJsonBytes32(json, string.concat(at, ".message.journalDigest"));
        vm.etch(place, address(committee).code);
        vm.assertEq(CommitteeVerifier(place).attestationDigest(journalDigest), digest);
        bytes memory signature = vm.parseJsonBytes(json, string.concat(at, ".signature"));
        vm.assertEq(
            ECDSA.recover(digest, signature),
            vm.parseJsonAddress(json, string.concat(at, ".signer"))
        );
    }

    function _resultAt(string memory at) private view returns (Result memory) {
        return Result({
            requestId: _bytes32(at, "requestId"),
            appId: _bytes32(at, "appId"),
            modelId: _bytes32(at, "modelId"),
            weightsRoot: _bytes32(at, "weightsRoot"),
            inputCommitment: _bytes32(at, "inputCommitment"),
            outputHash: _bytes32(at, "outputHash"),
            decision: _bytes32(at, "decision"),
            round: _bytes32(at, "round"),
            keyEpoch: uint64(_uint(at, "keyEpoch")),
            policyVersion: uint64(_uint(at, "policyVersion")),
            worker: vm.parseJsonAddress(json, string.concat(at, "worker")),
            units: uint64(_uint(at, "units")),
            nonce: _uint(at, "nonce"),
            deadline: uint64(_uint(at, "deadline"))
        });
    }

    function _bytes32(string memory at, string memory field) private view returns (bytes32) {
        return vm.parseJsonBytes32(json, string.concat(at, field));
    }

    function _uint(string memory at, string memory field) private view returns (uint256) {
        return vm.parseJsonUint(json, string.concat(at, field));
    }

    function _typeHash(string memory key) private view returns (bytes32) {
        return keccak256(bytes(vm.parseJsonString(json, key)));
    }
}
