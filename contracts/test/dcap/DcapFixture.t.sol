// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {CollateralStore} from "../../src/dcap/CollateralStore.sol";
import {DocumentParser} from "../../src/dcap/DocumentParser.sol";
import {RevocationListParser} from "../../src/dcap/RevocationListParser.sol";
import {IEvidenceRefusal} from "../../src/interfaces/IEvidenceRefusal.sol";
import {Base} from "../Base.t.sol";

/// @notice Collateral and quotes of tests/vectors/dcap.json: certificates, lists and documents of
/// successive dates and evaluation numbers, under one root; and such as must never be kept.
abstract contract DcapFixture is Base {
    uint256 internal constant CERTIFICATE = 0;
    uint256 internal constant LIST = 1;
    uint256 internal constant TCB_INFO = 2;
    uint256 internal constant QE_IDENTITY = 3;

    uint256 internal constant TDX = 2;
    uint256 internal constant PLATFORM = 1;

    /// @dev Quotes by number: of a newer and an older quoting enclave, of another root's machine, and as
    /// the first with the CA's later certificate in its chain.
    uint256 internal constant NEW = 0;
    uint256 internal constant OLD = 1;
    uint256 internal constant OTHER = 2;
    uint256 internal constant LATER = 3;

    /// @dev After the signed bytes: a length, signature and key, type and size, QE report and its
    /// signature. Behind that lies text, which may have more than one form.
    uint256 internal constant SIGNATURE_LENGTH = 4 + 64 + 64 + 6 + 384 + 64;

    struct Doc {
        uint256 kind;
        bytes data;
        /// @dev r and s, of documents.
        bytes signature;
        bytes32 signer;
        /// @dev SHA-256 of what was signed.
        bytes32 id;
        uint256 issued;
        uint256 evaluation;
        /// @dev Signed by whom it should be, and in force at some time of the tests.
        bool genuine;
    }

    struct Evidence {
        bytes data;
        /// @dev How much of the front the attestation key signed.
        uint256 signedLength;
        bytes32 keyId;
        uint256 qeSvn;
    }

    /// @dev When the vectors were made for: some documents are of the past then, some of the future.
    uint256 internal _at;
    bytes internal _root;
    uint256 internal _fmspc;
    Doc[] internal _docs;
    mapping(bytes32 name => uint256) private _places;
    Evidence[] internal _quotes;

    function _load() internal {
        string memory json = vm.readFile("../tests/vectors/dcap.json");
        _at = vm.parseJsonUint(json, ".at");
        _root = vm.parseJsonBytes(json, ".root");
        _fmspc = vm.parseJsonUint(json, ".fmspc");
        for (uint256 i = 0; vm.keyExistsJson(json, _key(".documents", i, "")); ++i) {
            Doc storage doc = _docs.push();
            doc.kind = vm.parseJsonUint(json, _key(".documents", i, ".kind"));
            doc.data = vm.parseJsonBytes(json, _key(".documents", i, ".data"));
            doc.signature = vm.parseJsonBytes(json, _key(".documents", i, ".signature"));
            doc.signer = vm.parseJsonBytes32(json, _key(".documents", i, ".signer"));
            doc.id = vm.parseJsonBytes32(json, _key(".documents", i, ".id"));
            doc.issued = vm.parseJsonUint(json, _key(".documents", i, ".issued"));
            doc.evaluation = vm.parseJsonUint(json, _key(".documents", i, ".evaluation"));
            doc.genuine = vm.parseJsonBool(json, _key(".documents", i, ".genuine"));
            string memory name = vm.parseJsonString(json, _key(".documents", i, ".name"));
            _places[keccak256(bytes(name))] = i + 1;
        }
        for (uint256 i = 0; vm.keyExistsJson(json, _key(".quotes", i, "")); ++i) {
            Evidence storage quote = _quotes.push();
            quote.data = vm.parseJsonBytes(json, _key(".quotes", i, ".data"));
            quote.signedLength = vm.parseJsonUint(json, _key(".quotes", i, ".signedLength"));
            quote.keyId = vm.parseJsonBytes32(json, _key(".quotes", i, ".keyId"));
            quote.qeSvn = vm.parseJsonUint(json, _key(".quotes", i, ".qeSvn"));
        }
        vm.warp(_at);
    }

    function _key(string memory list, uint256 i, string memory field)
        private
        pure
        returns (string memory)
    {
        return string.concat(list, "[", vm.toString(i), "]", field);
    }

    function _deployStore() internal returns (CollateralStore) {
        return new CollateralStore(_root, new DocumentParser(), new RevocationListParser());
    }

    function _named(string memory name) internal view returns (Doc memory) {
        uint256 place = _places[keccak256(bytes(name))];
        vm.assertTrue(place != 0, name);
        return _docs[place - 1];
    }

    function _bring(CollateralStore store, Doc memory doc) internal {
        if (doc.kind == CERTIFICATE) store.addCertificate(doc.data);
        else if (doc.kind == LIST) store.putRevocationList(doc.data);
        else if (doc.kind == TCB_INFO) store.putTcbInfo(doc.data, doc.signature, doc.signer);
        else store.putQeIdentity(doc.data, doc.signature, doc.signer);
    }

    function _bring(CollateralStore store, string memory name) internal {
        _bring(store, _named(name));
    }

    /// @dev Root list, signer, authority, its list: what documents need.
    function _bringChain(CollateralStore store) internal {
        _bring(store, "root list");
        _bring(store, "TCB signer");
        _bring(store, "Platform CA");
        _bring(store, "list of the CA");
    }

    function _expectRefusal(bytes32 reason) internal {
        vm.expectRevert(abi.encodeWithSelector(IEvidenceRefusal.EvidenceRefused.selector, reason));
    }

    /// @dev `data` with one bit changed.
    function _flipped(bytes memory data, uint256 bit) internal pure returns (bytes memory) {
        bit = bit % (8 * data.length);
        data[bit / 8] ^= bytes1(uint8(2 ** (bit % 8)));
        return data;
    }

    /// @dev The number that `length` bytes at `place` write.
    function _number(bytes memory data, uint256 place, uint256 length)
        internal
        pure
        returns (uint256 value)
    {
        for (uint256 i = 0; i < length; ++i) {
            value = value << 8 | uint8(data[place + i]);
        }
    }

    function _signed(Evidence memory quote) internal pure returns (bytes memory) {
        return _slice(quote.data, 0, quote.signedLength);
    }

    /// @dev Signed bytes and signature, which a length parts in the raw quote.
    function _compact(Evidence memory quote) internal pure returns (bytes memory) {
        return bytes.concat(_signed(quote), _slice(quote.data, quote.signedLength + 4, 64));
    }

    function _slice(bytes memory data, uint256 place, uint256 length)
        internal
        pure
        returns (bytes memory piece)
    {
        piece = new bytes(length);
        for (uint256 i = 0; i < length; ++i) {
            piece[i] = data[place + i];
        }
    }
}
