// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {P256Lib} from "../../src/dcap/P256Lib.sol";
import {IEvidenceRefusal} from "../../src/interfaces/IEvidenceRefusal.sol";
import {Base} from "../Base.t.sol";
import {P256Harness} from "./P256Harness.sol";

/// @notice Which way a chain verifies P-256. Tests run without the precompile of EIP-7951, so that any
/// code can be put in its place.
contract P256Test is Base {
    address private constant PRECOMPILE = address(0x100);
    address private constant MODEXP = address(5);

    /// @dev RFC 6979, A.2.5, SHA-256 of "test".
    P256Harness.Signed private _good = P256Harness.Signed({
        hash: 0x9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08,
        r: 0xF1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367,
        s: 0x019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083,
        x: 0x60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6,
        y: 0x7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299
    });

    P256Harness private _harness;

    function setUp() public {
        _harness = new P256Harness();
    }

    /// @dev The self-test asks twice: a valid signature, and the same over another hash.
    function test_SelfTest_GivenThePrecompile_IsNative() public {
        // Answers 1 where the hash is that of "sample", nothing otherwise: as the precompile would.
        bytes32 sample = 0xaf2bdbe1aa9b6ec1e2ade1d694f41fc71a831d0268e9891562113d8a62add1bf;
        bytes memory code =
            abi.encodePacked(hex"5f357f", sample, hex"14602a575f5ff35b60015f5260205ff3");
        vm.etch(PRECOMPILE, code);
        vm.assertTrue(_harness.selfTest());
    }

    function test_SelfTest_GivenAStrangerAt0x100_IsNotNative() public {
        bytes[6] memory strangers = [
            bytes(hex"60015f5260205ff3"), // 1, whatever is asked
            bytes(hex"60025f5260205ff3"), // 2
            bytes(hex"60015f52601f5ff3"), // 31 bytes
            bytes(hex"60015f5260215ff3"), // 33 bytes
            bytes(hex"5f5ffd"), // a revert
            bytes(hex"00") // nothing
        ];
        for (uint256 i = 0; i < strangers.length; ++i) {
            vm.etch(PRECOMPILE, strangers[i]);
            vm.assertFalse(_harness.selfTest());
            _requireSolidityVerifies();
        }
    }

    function test_SelfTest_GivenNothingAt0x100_IsNotNative() public view {
        vm.assertFalse(_harness.selfTest());
        _requireSolidityVerifies();
    }

    /// @dev A chain whose modular exponentiation does not compute has no Solidity to fall back on.
    function test_RevertGiven_NothingVerifies() public {
        bytes[3] memory powers = [abi.encode(0), abi.encode(1), bytes("")];
        for (uint256 i = 0; i < powers.length; ++i) {
            vm.mockCall(MODEXP, "", powers[i]);
            vm.expectRevert(IEvidenceRefusal.P256Unavailable.selector);
            _harness.selfTest();
        }
        // Nor does a stranger help who takes everything.
        vm.etch(PRECOMPILE, hex"60015f5260205ff3");
        vm.expectRevert(IEvidenceRefusal.P256Unavailable.selector);
        _harness.selfTest();
    }

    /// @dev n - s for s is as valid, for both ways; r, s, or key out of range is not.
    function testFuzz_VerifySolidity_TakesNothingElse(uint8 place, uint256 bit) public view {
        P256Harness.Signed memory it = _good;
        uint256 flipped = 2 ** (bit % 256);
        if (place % 5 == 0) it.hash ^= bytes32(flipped);
        if (place % 5 == 1) it.r ^= flipped;
        if (place % 5 == 2) it.s ^= flipped;
        if (place % 5 == 3) it.x ^= flipped;
        if (place % 5 == 4) it.y ^= flipped;
        vm.assertFalse(_verifies(it));
        it = _good;
        it.s = P256Lib.N - it.s;
        vm.assertTrue(_verifies(it));
    }

    function _requireSolidityVerifies() private view {
        vm.assertTrue(_verifies(_good));
        P256Harness.Signed memory other = _good;
        other.hash = ~other.hash;
        vm.assertFalse(_verifies(other));
    }

    function _verifies(P256Harness.Signed memory it) private view returns (bool) {
        P256Harness.Signed[] memory cases = new P256Harness.Signed[](1);
        cases[0] = it;
        (, bool[] memory plain) = _harness.verify(cases);
        return plain[0];
    }
}
