// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {LibString} from "solady/utils/LibString.sol";

import {IAttestationGate} from "../interfaces/IAttestationGate.sol";
import {Exchange, IGatewayAdapter} from "../interfaces/IGatewayAdapter.sol";
import {IGoverned} from "../interfaces/IGoverned.sol";
import {ProofKind} from "../types/ProofKind.sol";
import {SignatureLib} from "./SignatureLib.sol";

/// @title GatewayAdapter
/// @notice Takes what first-generation chat gateways sign about an answer.
contract GatewayAdapter is IGatewayAdapter, ERC165 {
    /* IMMUTABLES */

    /// @inheritdoc IGatewayAdapter
    IAttestationGate public immutable WORKERS;

    /* STORAGE */

    mapping(bytes32 exchange => Exchange) private _exchanges;

    /* CONSTRUCTOR */

    constructor(IAttestationGate workers) {
        require(address(workers) != address(0), IGoverned.ZeroAddress());
        WORKERS = workers;
    }

    /* RECORDS */

    /// @inheritdoc IGatewayAdapter
    function record(
        bytes32 appId,
        bytes32 requestHash,
        bytes32 responseHash,
        address gateway,
        bytes calldata signature
    ) external {
        bytes32 key = keccak256(abi.encode(appId, requestHash, responseHash));
        bytes memory text = bytes(textOf(requestHash, responseHash));
        bytes32 digest = MessageHashUtils.toEthSignedMessageHash(text);
        SignatureLib.requireSigned(digest, gateway, signature);
        (, ProofKind kind) = WORKERS.requireActive(gateway, appId);
        Exchange memory known = _exchanges[key];
        require(
            known.recordedAt == 0 || kind < known.kind,
            AlreadyRecorded(appId, requestHash, responseHash)
        );
        _exchanges[key] = Exchange(gateway, kind, uint64(block.timestamp));
        emit ExchangeRecorded(appId, requestHash, responseHash, gateway, kind);
    }

    /* VIEWS */

    /// @inheritdoc IGatewayAdapter
    function exchangeOf(bytes32 appId, bytes32 requestHash, bytes32 responseHash)
        external
        view
        returns (Exchange memory found)
    {
        found = _exchanges[keccak256(abi.encode(appId, requestHash, responseHash))];
        require(found.recordedAt != 0, NotRecorded(appId, requestHash, responseHash));
    }

    /// @inheritdoc IGatewayAdapter
    function textOf(bytes32 requestHash, bytes32 responseHash) public pure returns (string memory) {
        return string.concat(
            LibString.toHexStringNoPrefix(uint256(requestHash), 32),
            ":",
            LibString.toHexStringNoPrefix(uint256(responseHash), 32)
        );
    }

    /// @notice ERC-165.
    function supportsInterface(bytes4 interfaceId) public view override returns (bool) {
        return
            interfaceId == type(IGatewayAdapter).interfaceId || super.supportsInterface(interfaceId);
    }
}
