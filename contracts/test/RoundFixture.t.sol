// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {RequestParams} from "../src/interfaces/IRequestBook.sol";
import {IResultOracle, Reveal, Round} from "../src/interfaces/IResultOracle.sol";
import {Quorum, Request, Rule} from "../src/types/Request.sol";
import {Result, ResultLib} from "../src/types/Result.sol";
import {Verdict} from "../src/types/Verdict.sol";
import {WorkerBinding} from "../src/types/WorkerBinding.sol";
import {OracleFixture} from "./OracleFixture.t.sol";

/// @notice Ten active workers, ascending by address, each on its own machine and with its own
/// operator; and the rounds they hold.
abstract contract RoundFixture is OracleFixture {
    uint256 internal constant WORKERS = 10;

    /// @dev What a round comes to, ready to be submitted.
    struct Submission {
        Request made;
        Result result;
        Reveal[] reveals;
        bytes32[] round;
    }

    /// @dev Keys, ascending by address.
    uint256[] internal keys;

    function setUp() public virtual override {
        super.setUp();
        for (uint256 i = 0; i < WORKERS; ++i) {
            _insert(0xe0000 + i);
        }
        for (uint256 i = 0; i < WORKERS; ++i) {
            _enrol(vm.addr(keys[i]), keccak256(abi.encode("platform", i)), _operator(i));
        }
        vm.warp(block.timestamp + ACTIVATION_DELAY);
    }

    /* WORKERS */

    function _operator(uint256 index) internal pure returns (address) {
        return address(uint160(0x0a00 + index));
    }

    function _workerAt(uint256 index) internal view returns (address) {
        return vm.addr(keys[index]);
    }

    function _enrol(address account, bytes32 platform, address operator) internal {
        _nextBlock();
        WorkerBinding memory binding = _binding();
        binding.operator = operator;
        Verdict memory verdict = _boundVerdict(account, binding);
        verdict.platformId = platform;
        _register(verdict, binding);
    }

    function _insert(uint256 key) internal {
        keys.push(key);
        for (uint256 i = keys.length - 1; i > 0; --i) {
            (uint256 a, uint256 b) = (keys[i - 1], keys[i]);
            if (vm.addr(a) < vm.addr(b)) break;
            (keys[i - 1], keys[i]) = (b, a);
        }
    }

    /* REQUESTS */

    /// @dev `results` of `seats` must agree, exactly, on one operator and one vendor.
    function _quorum(uint8 results, uint8 seats)
        internal
        view
        returns (RequestParams memory params)
    {
        params = _params();
        params.quorum = Quorum(results, seats, 1, 1, Rule.Exact, 0);
    }

    /* ROUNDS */

    /// @dev The workers `first` and following each decide as told; the output is the decision's text.
    function _hold(Request memory made, uint256 first, bytes32[] memory decisions)
        internal
        view
        returns (Submission memory held)
    {
        Result[] memory said = new Result[](decisions.length);
        bytes32[] memory commitments = new bytes32[](decisions.length);
        for (uint256 i = 0; i < decisions.length; ++i) {
            said[i] = _result(made);
            said[i].worker = _workerAt(first + i);
            said[i].decision = decisions[i];
            said[i].outputHash =
                made.quorum.rule == Rule.Exact ? decisions[i] : sha256(abi.encode(said[i].worker));
            said[i].nonce = uint256(keccak256(abi.encode("salt", i)));
            said[i].units = uint64(10 + i);
            commitments[i] = ResultLib.commitment(said[i]);
        }
        bytes32 round;
        (held.round, round) = _close(commitments);
        held.made = made;
        held.reveals = new Reveal[](decisions.length);
        for (uint256 i = 0; i < decisions.length; ++i) {
            said[i].round = round;
            held.reveals[i] = _reveal(said[i], keys[first + i], held.round);
        }
        held.result = said[0];
    }

    function _reveal(Result memory said, uint256 key, bytes32[] memory round)
        internal
        view
        returns (Reveal memory)
    {
        bytes32 commitment = ResultLib.commitment(said);
        uint8 seat;
        while (seat < round.length && round[seat] != commitment) ++seat;
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, oracle.resultDigest(said));
        return Reveal({
            worker: said.worker,
            seat: seat,
            units: said.units,
            nonce: said.nonce,
            outputHash: said.outputHash,
            decision: said.decision == said.outputHash ? bytes32(0) : said.decision,
            r: r,
            vs: bytes32(uint256(s) | uint256(v - 27) << 255)
        });
    }

    /// @dev The signature of a reveal in its long form.
    function _signatureOf(Reveal memory reveal) internal pure returns (bytes memory) {
        uint256 vs = uint256(reveal.vs);
        return abi.encodePacked(reveal.r, vs << 1 >> 1, uint8(27 + (vs >> 255)));
    }

    /// @dev The commitments in their order, and their hash.
    function _close(bytes32[] memory commitments)
        internal
        pure
        returns (bytes32[] memory sorted, bytes32 round)
    {
        sorted = new bytes32[](commitments.length);
        for (uint256 i = 0; i < commitments.length; ++i) {
            uint256 at = i;
            for (; at > 0 && sorted[at - 1] > commitments[i]; --at) {
                sorted[at] = sorted[at - 1];
            }
            sorted[at] = commitments[i];
        }
        round = keccak256(abi.encodePacked(sorted));
    }

    /// @dev Keeps only those of the reveals that `chosen` has a bit for; the first becomes the result.
    function _choose(Submission memory held, uint256 chosen)
        internal
        pure
        returns (Submission memory)
    {
        uint256 count = 0;
        for (uint256 i = 0; i < held.reveals.length; ++i) {
            if (chosen >> i & 1 == 1) ++count;
        }
        Reveal[] memory kept = new Reveal[](count);
        count = 0;
        for (uint256 i = 0; i < held.reveals.length; ++i) {
            if (chosen >> i & 1 == 1) kept[count++] = held.reveals[i];
        }
        held.reveals = kept;
        return _decide(held, 0);
    }

    /// @dev Makes the statement of reveal `index` the result.
    function _decide(Submission memory held, uint256 index)
        internal
        pure
        returns (Submission memory)
    {
        Reveal memory reveal = held.reveals[index];
        held.result.worker = reveal.worker;
        held.result.outputHash = reveal.outputHash;
        held.result.decision = reveal.decision == 0 ? reveal.outputHash : reveal.decision;
        held.result.units = reveal.units;
        held.result.nonce = reveal.nonce;
        return held;
    }

    function _agreeing(uint256 count) internal pure returns (bytes32[] memory decisions) {
        decisions = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            decisions[i] = sha256(OUTPUT);
        }
    }

    /// @dev As a relayer does: hashes of the output that is delivered are left out.
    function _submit(Submission memory held, bytes memory output) internal {
        (Reveal[] memory reveals, uint256 answer) = _shorten(held);
        oracle.fulfillByQuorum(held.made, _roundOf(held), reveals, answer, output);
    }

    /// @dev The same, as an answer.
    function _trySubmit(Submission memory held, bytes memory output)
        internal
        returns (bool ok, bytes memory failure)
    {
        (Reveal[] memory reveals, uint256 answer) = _shorten(held);
        return address(oracle)
            .call(
                abi.encodeCall(
                    IResultOracle.fulfillByQuorum,
                    (held.made, _roundOf(held), reveals, answer, output)
                )
            );
    }

    function _dispute(Submission memory held) internal {
        oracle.dispute(held.made, _roundOf(held), held.reveals);
    }

    /// @dev What all statements of the round say, as the result does.
    function _roundOf(Submission memory held) internal pure returns (Round memory) {
        Result memory said = held.result;
        return Round(said.weightsRoot, said.keyEpoch, said.policyVersion, said.deadline, held.round);
    }

    /// @dev A copy of the reveals without the result's hash, and the place of the result.
    function _shorten(Submission memory held)
        private
        pure
        returns (Reveal[] memory reveals, uint256 answer)
    {
        reveals = abi.decode(abi.encode(held.reveals), (Reveal[]));
        answer = reveals.length;
        for (uint256 i = 0; i < reveals.length; ++i) {
            if (reveals[i].outputHash == held.result.outputHash) reveals[i].outputHash = 0;
            if (reveals[i].worker == held.result.worker) answer = i;
        }
    }
}
