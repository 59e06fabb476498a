// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

import {IResultOracle} from "../interfaces/IResultOracle.sol";

/// @title SignatureLib
/// @notice Signatures of workers, in their one encoding: 65 bytes `r ‖ s ‖ v`, low s, v 27 or 28.
library SignatureLib {
    /// @notice Reverts with {InvalidSignature} or {WrongSigner} unless `signer` signed `digest`.
    function requireSigned(bytes32 digest, address signer, bytes calldata signature) internal pure {
        (address found, ECDSA.RecoverError failure,) = ECDSA.tryRecoverCalldata(digest, signature);
        require(failure == ECDSA.RecoverError.NoError, IResultOracle.InvalidSignature());
        require(found == signer, IResultOracle.WrongSigner(found, signer));
    }
}
