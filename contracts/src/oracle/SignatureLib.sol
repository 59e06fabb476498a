// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

import {IResultOracle} from "../interfaces/IResultOracle.sol";

/// @title SignatureLib
/// @notice Signatures of workers, low s: 65 bytes `r ‖ s ‖ v` with v 27 or 28; in a round, 64 bytes with
/// the parity in the highest bit of `s` (EIP-2098).
library SignatureLib {
    /// @notice Reverts with {InvalidSignature} or {WrongSigner} unless `signer` signed `digest`.
    function requireSigned(bytes32 digest, address signer, bytes calldata signature) internal pure {
        (address found, ECDSA.RecoverError failure,) = ECDSA.tryRecoverCalldata(digest, signature);
        _requireFound(found, failure, signer);
    }

    /// @notice The same of a signature in its short form.
    function requireSigned(bytes32 digest, address signer, bytes32 r, bytes32 vs) internal pure {
        (address found, ECDSA.RecoverError failure,) = ECDSA.tryRecover(digest, r, vs);
        _requireFound(found, failure, signer);
    }

    function _requireFound(address found, ECDSA.RecoverError failure, address signer) private pure {
        require(failure == ECDSA.RecoverError.NoError, IResultOracle.InvalidSignature());
        require(found == signer, IResultOracle.WrongSigner(found, signer));
    }
}
