// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {P256} from "@openzeppelin/contracts/utils/cryptography/P256.sol";

import {IEvidenceRefusal} from "../interfaces/IEvidenceRefusal.sol";
import {P256Call} from "./P256Call.sol";

/// @title P256Lib
/// @notice ECDSA on P-256: the precompile of EIP-7951 where the chain has it, Solidity elsewhere.
/// @dev Both accept high s, as Intel's signatures need: a signature must never serve as an id.
library P256Lib {
    uint256 internal constant N =
        0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551;

    /// @dev A valid signature of SHA-256("sample") (RFC 6979, A.2.5), for the self-test.
    bytes32 private constant TEST_HASH =
        0xaf2bdbe1aa9b6ec1e2ade1d694f41fc71a831d0268e9891562113d8a62add1bf;
    uint256 private constant TEST_R =
        0xEFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716;
    uint256 private constant TEST_S =
        0xF7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8;
    uint256 private constant TEST_X =
        0x60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6;
    uint256 private constant TEST_Y =
        0x7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299;

    /// @notice Whether 0x100 verifies P-256 here. To be asked once, at deployment.
    /// @dev It must accept a valid signature and refuse the same one over another hash; what accepts
    /// both is no verifier, what accepts neither is not there.
    function selfTest() internal view returns (bool native) {
        bytes32 other = ~TEST_HASH;
        native = verifyNative(TEST_HASH, TEST_R, TEST_S, TEST_X, TEST_Y)
            && !verifyNative(other, TEST_R, TEST_S, TEST_X, TEST_Y);
        if (native) return true;
        require(
            verifySolidity(TEST_HASH, TEST_R, TEST_S, TEST_X, TEST_Y)
                && !verifySolidity(other, TEST_R, TEST_S, TEST_X, TEST_Y),
            IEvidenceRefusal.P256Unavailable()
        );
    }

    /// @notice Whether (r, s) is a signature of `hash` by the key (x, y).
    function verify(bool native, bytes32 hash, uint256 r, uint256 s, uint256 x, uint256 y)
        internal
        view
        returns (bool)
    {
        return native ? P256Call.verify(hash, r, s, x, y) : verifySolidity(hash, r, s, x, y);
    }

    /// @notice By the precompile: exactly one word, 1, means valid; anything else, nothing included,
    /// means invalid.
    function verifyNative(bytes32 hash, uint256 r, uint256 s, uint256 x, uint256 y)
        internal
        view
        returns (bool)
    {
        return P256Call.verify(hash, r, s, x, y);
    }

    /// @notice In Solidity, after OpenZeppelin, which wants low s: a signature and its twin with n - s
    /// are valid together.
    function verifySolidity(bytes32 hash, uint256 r, uint256 s, uint256 x, uint256 y)
        internal
        view
        returns (bool)
    {
        if (s > N / 2 && s < N) s = N - s;
        return P256.verifySolidity(hash, bytes32(r), bytes32(s), bytes32(x), bytes32(y));
    }

    /// @notice Whether r and s are in the range ECDSA allows.
    function inRange(uint256 r, uint256 s) internal pure returns (bool) {
        unchecked {
            return r - 1 < N - 1 && s - 1 < N - 1; // zero wraps
        }
    }

    /// @notice Whether (x, y) is a point of the curve.
    function onCurve(uint256 x, uint256 y) internal pure returns (bool) {
        return P256.isValidPublicKey(bytes32(x), bytes32(y));
    }
}
