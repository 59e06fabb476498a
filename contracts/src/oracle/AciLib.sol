// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {LibString} from "solady/utils/LibString.sol";

import {JcsLib} from "./JcsLib.sol";

/// @notice What an inference receipt says, as far as a contract asks.
struct AciReceipt {
    /// @dev Of the keyset whose key signed it.
    bytes32 keysetDigest;
    bytes32 requestHash;
    bytes32 responseHash;
    /// @dev The service's own word, Unix time.
    uint64 servedAt;
}

/// @title AciLib
/// @notice Documents of the format `aci/1` in their canonical form: keysets, statements, receipts.
/// @dev Field names and rules: docs/workloads.md, "ACI".
library AciLib {
    using JcsLib for bytes;

    /// @notice A keyset lists no key that a contract can check, or more than one.
    /// @custom:remedy Use a service whose keyset has one receipt key of the algorithm
    /// `secp256k1-eip191`; receipts of others go through the committee.
    error NoReceiptKey(uint256 found);

    /// @notice A receipt does not say what every receipt must.
    /// @custom:remedy Send the receipt without its signature, in canonical form, as it was signed.
    error ReceiptIncomplete();

    bytes32 private constant API_VERSION = keccak256("api_version");
    bytes32 private constant EVENT_LOG = keccak256("event_log");
    bytes32 private constant KEYSET_DIGEST = keccak256("workload_keyset_digest");
    bytes32 private constant SERVED_AT = keccak256("served_at");
    bytes32 private constant SIGNATURE = keccak256("signature");
    bytes32 private constant TYPE = keccak256("type");
    bytes32 private constant BODY_HASH = keccak256("body_hash");
    bytes32 private constant RECEIVED = keccak256("request.received");
    bytes32 private constant RETURNED = keccak256("response.returned");
    bytes32 private constant VERSION = keccak256("aci/1");
    bytes32 private constant RECEIPT_KEYS = keccak256("receipt_signing_keys");
    bytes32 private constant NOT_AFTER = keccak256("not_after");
    bytes32 private constant ALGORITHM = keccak256("algo");
    bytes32 private constant SECP256K1 = keccak256("secp256k1-eip191");
    bytes32 private constant PUBLIC_KEY = keccak256("public_key");
    /// @dev A point in its long form, in hexadecimal digits and quotes: 04, x, y.
    uint256 private constant POINT_LENGTH = 2 + 2 + 64 + 64;

    /* STATEMENTS */

    /// @notice The first half of the report data that binds a keyset to `nonce`; the other is zero.
    function bound(bytes32 keysetDigest, bytes32 nonce) internal pure returns (bytes32) {
        return sha256(
            abi.encodePacked(
                "{\"keyset_digest\":\"sha256:",
                LibString.toHexStringNoPrefix(uint256(keysetDigest), 32),
                "\",\"nonce\":\"",
                LibString.toHexStringNoPrefix(uint256(nonce), 32),
                "\",\"purpose\":\"aci.report_data.v1\"}"
            )
        );
    }

    /* KEYSETS */

    /// @notice The last second of `keyset`, and the address of its one receipt key that a contract can
    /// check; zero where it has none.
    function readKeyset(bytes calldata keyset)
        internal
        pure
        returns (uint64 notAfter, address key)
    {
        uint256 at = keyset.open("{");
        bool more = true;
        while (more) {
            (bytes32 name, uint256 value, uint256 end) = keyset.member(at);
            if (name == NOT_AFTER) notAfter = keyset.number(value, end);
            if (name == RECEIPT_KEYS) key = _receiptKey(keyset, value);
            (at, more) = keyset.next(end, "}");
        }
        require(at == keyset.length, JcsLib.DocumentMalformed(at));
    }

    function _receiptKey(bytes calldata keyset, uint256 at) private pure returns (address key) {
        at = keyset.expect(at, "[");
        uint256 found = 0;
        bool more = keyset[at] != "]";
        while (more) {
            address listed = _listed(keyset, at);
            if (listed != address(0)) (key, found) = (listed, found + 1);
            (at, more) = keyset.next(keyset.skip(at), "]");
        }
        require(found < 2, NoReceiptKey(found));
    }

    /// @dev The address of the key listed at `at`; zero where it is of another algorithm.
    function _listed(bytes calldata keyset, uint256 at) private pure returns (address) {
        at = keyset.expect(at, "{");
        uint256 point = 0;
        bool known = false;
        bool more = true;
        while (more) {
            (bytes32 name, uint256 value, uint256 end) = keyset.member(at);
            if (name == ALGORITHM) known = keyset.text(value, end) == SECP256K1;
            if (name == PUBLIC_KEY && end - value == POINT_LENGTH) point = value + 1;
            (at, more) = keyset.next(end, "}");
        }
        if (!known || point == 0) return address(0);
        require(keyset[point] == "0" && keyset[point + 1] == "4", JcsLib.DocumentMalformed(point));
        uint256 x = keyset.hexadecimal(point + 2, 32);
        uint256 y = keyset.hexadecimal(point + 66, 32);
        return address(uint160(uint256(keccak256(abi.encode(x, y)))));
    }

    /* RECEIPTS */

    /// @notice What `receipt`, in the form that is signed, says. Reverts with {ReceiptIncomplete} unless
    /// it is an `aci/1` receipt that begins with a request and returned one response.
    function readReceipt(bytes calldata receipt) internal pure returns (AciReceipt memory said) {
        uint256 at = receipt.open("{");
        bool current = false;
        bool more = true;
        while (more) {
            (bytes32 name, uint256 value, uint256 end) = receipt.member(at);
            require(name != SIGNATURE, ReceiptIncomplete());
            if (name == API_VERSION) current = receipt.text(value, end) == VERSION;
            if (name == EVENT_LOG) _readEvents(receipt, value, said);
            if (name == KEYSET_DIGEST) said.keysetDigest = receipt.digest(value, end);
            if (name == SERVED_AT) said.servedAt = receipt.number(value, end);
            (at, more) = receipt.next(end, "}");
        }
        require(at == receipt.length, JcsLib.DocumentMalformed(at));
        require(
            current && said.keysetDigest != 0 && said.requestHash != 0 && said.responseHash != 0,
            ReceiptIncomplete()
        );
    }

    /// @dev The first event is the request, and just one is the response; what lies between is the
    /// service's own.
    function _readEvents(bytes calldata receipt, uint256 at, AciReceipt memory said) private pure {
        at = receipt.expect(at, "[");
        bool more = true;
        bool first = true;
        while (more) {
            (bytes32 kind, bytes32 bodyHash) = _event(receipt, at);
            require(first == (kind == RECEIVED), ReceiptIncomplete());
            if (first) said.requestHash = bodyHash;
            if (kind == RETURNED) {
                require(said.responseHash == 0, ReceiptIncomplete());
                said.responseHash = bodyHash;
            }
            first = false;
            (at, more) = receipt.next(receipt.skip(at), "]");
        }
    }

    function _event(bytes calldata receipt, uint256 at)
        private
        pure
        returns (bytes32 kind, bytes32 bodyHash)
    {
        at = receipt.expect(at, "{");
        bool more = true;
        while (more) {
            (bytes32 name, uint256 value, uint256 end) = receipt.member(at);
            if (name == TYPE) kind = receipt.text(value, end);
            // Events of other kinds may have other fields of this name.
            if (name == BODY_HASH && end - value == 73) bodyHash = receipt.digest(value, end);
            (at, more) = receipt.next(end, "}");
        }
    }
}
