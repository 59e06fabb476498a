// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Der} from "../../src/dcap/Der.sol";
import {Mem} from "../../src/dcap/Mem.sol";
import {P256Lib} from "../../src/dcap/P256Lib.sol";

/// @notice Both ways to verify P-256, for many signatures in one call.
/// @dev Driven by tests/contracts/dcap/test_p256.py.
contract P256Harness {
    struct Signed {
        bytes32 hash;
        uint256 r;
        uint256 s;
        uint256 x;
        uint256 y;
    }

    /// @notice For each case: by the precompile, by Solidity.
    function verify(Signed[] calldata cases) external view returns (bool[] memory, bool[] memory) {
        bool[] memory native = new bool[](cases.length);
        bool[] memory plain = new bool[](cases.length);
        for (uint256 i = 0; i < cases.length; ++i) {
            Signed calldata it = cases[i];
            native[i] = P256Lib.verifyNative(it.hash, it.r, it.s, it.x, it.y);
            plain[i] = P256Lib.verifySolidity(it.hash, it.r, it.s, it.x, it.y);
        }
        return (native, plain);
    }

    /// @notice r and s of a signature as certificates carry it: a bit string around DER.
    function parse(bytes memory bits) external pure returns (uint256 r, uint256 s) {
        uint256 start = Mem.at(bits);
        uint256 stop;
        (r, s, stop) = Der.signature(start, start + bits.length);
        Der.finish(stop, start + bits.length);
    }

    /// @notice What is asked at deployment.
    function selfTest() external view returns (bool) {
        return P256Lib.selfTest();
    }
}
