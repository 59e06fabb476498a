// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {SSTORE2} from "solady/utils/SSTORE2.sol";

import {ICollateralHashes} from "../interfaces/ICollateralHashes.sol";
import {ICollateralStore} from "../interfaces/ICollateralStore.sol";
import {CertificateRecord} from "./CertificateRecord.sol";
import {CollateralLib, Parts} from "./CollateralLib.sol";
import {Crl, CrlLib} from "./CrlLib.sol";
import {Document} from "./DocumentLib.sol";
import {DocumentParser} from "./DocumentParser.sol";
import {Mem} from "./Mem.sol";
import {P256Lib} from "./P256Lib.sol";
import {BIT, check, refuse} from "./Refusal.sol";
import {Certificate, Issuer, Role, X509} from "./X509.sol";

/// @title CollateralStore
/// @notice Intel's collateral, proven down from one root certificate and kept packed.
/// @dev Immutable: no proxy, no owner. What is kept is kept as code (SSTORE2), so that reading costs
/// one account access however long it is.
contract CollateralStore is ICollateralStore, ICollateralHashes {
    /// @dev Collateral in one piece, and the stamps of the parts it was put together from.
    struct Assembled {
        address pointer;
        uint96 stamps;
    }

    /* CONSTANTS */

    uint256 private constant PLATFORM = 1;
    uint256 private constant PROCESSOR = 2;
    /// @dev The issuer number of the root's revocation list.
    uint256 private constant ROOT = 0;

    /// @dev Places in {_stamps}, 24 bits each: revocation lists, by issuer; authorities, from 1; QE
    /// identities, by TEE type. Then the epochs of the authorities' keys, 16 bits each.
    uint256 private constant STAMP_LISTS = 0;
    uint256 private constant STAMP_AUTHORITIES = 2;
    uint256 private constant STAMP_IDENTITIES = 4;
    uint256 private constant EPOCHS = 168;
    uint256 private constant STAMP_BITS = 24;
    uint256 private constant MAX_STAMP = type(uint24).max;

    /* IMMUTABLES */

    /// @inheritdoc ICollateralStore
    bytes32 public immutable ROOT_KEY_HASH;
    /// @inheritdoc ICollateralStore
    bytes32 public immutable ROOT_CERTIFICATE;

    /// @notice Whether P-256 is verified by the chain's precompile.
    bool public immutable NATIVE_P256;

    DocumentParser private immutable _PARSER;
    bytes32 private immutable _ROOT_SUBJECT;
    bytes32 private immutable _ROOT_KEY_ID;
    uint256 private immutable _ROOT_X;
    uint256 private immutable _ROOT_Y;
    uint256 private immutable _ROOT_SERIAL;
    uint256 private immutable _ROOT_WINDOW;

    /* STORAGE */

    /// @dev What changes makes collateral that was put together stale: see STAMP_*.
    uint256 private _stamps;
    mapping(bytes32 id => address) private _signers;
    mapping(uint256 authority => address) private _authorities;
    mapping(uint256 issuer => address) private _lists;
    mapping(uint256 teeType => address) private _identities;
    mapping(uint256 teeType => mapping(uint256 fmspc => address)) private _tcbInfos;
    mapping(
        uint256 teeType => mapping(uint256 fmspc => mapping(uint256 authority => Assembled))
    ) private _assembled;

    /* CONSTRUCTOR */

    /// @param root The DER of the self-signed root certificate that is trusted, for ever.
    constructor(bytes memory root) {
        bool native = P256Lib.selfTest();
        Certificate memory certificate = X509.parse(Mem.at(root), root.length);
        X509.requireRole(certificate, Role.Root);
        X509.requireIssued(
            certificate,
            Issuer(certificate.subject, certificate.subjectKeyId, certificate.x, certificate.y),
            native
        );
        NATIVE_P256 = native;
        _PARSER = new DocumentParser();
        ROOT_KEY_HASH = sha256(abi.encode(certificate.x, certificate.y));
        ROOT_CERTIFICATE = keccak256(root);
        _ROOT_SUBJECT = certificate.subject;
        _ROOT_KEY_ID = certificate.subjectKeyId;
        _ROOT_X = certificate.x;
        _ROOT_Y = certificate.y;
        _ROOT_SERIAL = certificate.serial;
        _ROOT_WINDOW = certificate.notBefore << 40 | certificate.notAfter;
    }

    /* CERTIFICATES */

    /// @inheritdoc ICollateralStore
    function addCertificate(bytes calldata der) external returns (bytes32 id) {
        bytes memory copy = der;
        bytes32 hash = keccak256(copy);
        Certificate memory certificate = X509.parse(Mem.at(copy), copy.length);
        Role role = X509.roleOf(certificate.commonName);
        check(
            role == Role.PlatformCa || role == Role.ProcessorCa || role == Role.TcbSigning,
            "ISSUER_ROLE"
        );
        X509.requireRole(certificate, role);
        X509.requireIssued(certificate, _root(), NATIVE_P256);
        bytes memory rootCrl = _requireList(ROOT);
        check(!CrlLib.lists(rootCrl, certificate.serial), "CERT_REVOKED");
        CollateralLib.requireWithin(
            certificate.notBefore << 40 | certificate.notAfter,
            block.timestamp,
            "CERT_EXPIRED",
            "CERT_NOT_YET_VALID"
        );
        bytes memory record = CertificateRecord.pack(certificate, hash);
        id = CertificateRecord.tbsHash(record);
        if (role == Role.TcbSigning) {
            if (_signers[id] != address(0)) return id;
            _signers[id] = SSTORE2.write(record);
        } else if (!_putAuthority(role == Role.PlatformCa ? PLATFORM : PROCESSOR, record)) {
            return id;
        }
        emit CertificateAdded(id, certificate.commonName, uint64(certificate.notAfter));
    }

    /// @inheritdoc ICollateralStore
    function refuseAuthority(bytes calldata der) external view {
        bytes memory copy = der;
        Certificate memory certificate = X509.parse(Mem.at(copy), copy.length);
        Role role = X509.roleOf(certificate.commonName);
        check(role == Role.PlatformCa || role == Role.ProcessorCa, "ISSUER_ROLE");
        X509.requireRole(certificate, role);
        X509.requireIssued(certificate, _root(), NATIVE_P256);
        check(!CrlLib.lists(_requireList(ROOT), certificate.serial), "CERT_REVOKED");
        refuse("COLLATERAL_INCOMPLETE");
    }

    /// @dev False where the very certificate is in force already.
    function _putAuthority(uint256 authority, bytes memory record) private returns (bool) {
        address pointer = _authorities[authority];
        if (pointer != address(0)) {
            bytes memory old = Mem.code(pointer, 1);
            if (CertificateRecord.derHash(old) == CertificateRecord.derHash(record)) return false;
            check(
                CertificateRecord.window(record) >> 40 > CertificateRecord.window(old) >> 40,
                "COLLATERAL_ROLLBACK"
            );
            Issuer memory was = CertificateRecord.issuer(old);
            Issuer memory is_ = CertificateRecord.issuer(record);
            // Platforms proven under another key, and its revocation list, are to be brought anew.
            if (was.x != is_.x || was.y != is_.y || was.subject != is_.subject) {
                _stamps += BIT << (EPOCHS + 16 * (authority - 1));
                _lists[authority] = address(0);
            }
        }
        _authorities[authority] = SSTORE2.write(record);
        _bump(STAMP_AUTHORITIES + authority);
        return true;
    }

    /* REVOCATION LISTS */

    /// @inheritdoc ICollateralStore
    function putRevocationList(bytes calldata der) external {
        Crl memory crl = CrlLib.parse(der);
        uint256 issuer = ROOT;
        if (crl.issuer == _ROOT_SUBJECT) {
            CrlLib.requireIssued(crl, _root(), NATIVE_P256);
        } else {
            Issuer memory authority;
            for (issuer = PLATFORM; issuer <= PROCESSOR; ++issuer) {
                if (_authorities[issuer] == address(0)) continue;
                authority = CertificateRecord.issuer(Mem.code(_authorities[issuer], 1));
                if (authority.subject == crl.issuer) break;
            }
            check(issuer <= PROCESSOR, "CRL_ISSUER_MISMATCH");
            CrlLib.requireIssued(crl, authority, NATIVE_P256);
        }
        CollateralLib.requireWithin(
            crl.thisUpdate << 40 | crl.nextUpdate,
            block.timestamp,
            "CRL_EXPIRED",
            "CRL_NOT_YET_VALID"
        );
        bytes memory packed = CrlLib.pack(crl);
        if (issuer == ROOT) check(!CrlLib.lists(packed, _ROOT_SERIAL), "CERT_REVOKED");
        bytes32 id = bytes32(Mem.word(Mem.at(packed) + 10));
        if (_lists[issuer] != address(0)) {
            uint256 p = Mem.at(Mem.code(_lists[issuer], 1));
            if (bytes32(Mem.word(p + 10)) == id) return;
            check(crl.thisUpdate > Mem.number(p, 5), "COLLATERAL_ROLLBACK");
        }
        _lists[issuer] = SSTORE2.write(packed);
        _bump(STAMP_LISTS + issuer);
        emit RevocationListStored(
            issuer, id, uint64(crl.thisUpdate), uint64(crl.nextUpdate), crl.serials.length
        );
    }

    /* DOCUMENTS */

    /// @inheritdoc ICollateralStore
    function putTcbInfo(bytes calldata document, bytes calldata signature, bytes32 signer)
        external
    {
        bytes32 id = _requireSigned(document, signature, signer, "TCB_INFO_SIGNATURE_INVALID");
        Document memory info = _PARSER.parseTcbInfo(document);
        uint256 teeType = info.teeType;
        uint256 fmspc = info.fmspc;
        if (!_requireNewer(info, _tcbInfos[teeType][fmspc], id)) return;
        _tcbInfos[teeType][fmspc] = SSTORE2.write(_packed(info, id, signer));
        delete _assembled[teeType][fmspc][PLATFORM];
        delete _assembled[teeType][fmspc][PROCESSOR];
        emit TcbInfoStored(
            teeType,
            bytes6(uint48(fmspc)),
            id,
            uint64(info.issueDate),
            uint32(info.evaluationNumber)
        );
    }

    /// @inheritdoc ICollateralStore
    function putQeIdentity(bytes calldata document, bytes calldata signature, bytes32 signer)
        external
    {
        bytes32 id = _requireSigned(document, signature, signer, "QE_IDENTITY_SIGNATURE_INVALID");
        Document memory identity = _PARSER.parseQeIdentity(document);
        uint256 teeType = identity.teeType;
        if (!_requireNewer(identity, _identities[teeType], id)) return;
        _identities[teeType] = SSTORE2.write(_packed(identity, id, signer));
        _bump(STAMP_IDENTITIES + teeType);
        emit QeIdentityStored(
            teeType, id, uint64(identity.issueDate), uint32(identity.evaluationNumber)
        );
    }

    function _requireSigned(
        bytes calldata document,
        bytes calldata signature,
        bytes32 signer,
        bytes32 reason
    ) private view returns (bytes32 id) {
        check(signature.length == 64, "SIGNATURE_INVALID");
        uint256 r = uint256(bytes32(signature[:32]));
        uint256 s = uint256(bytes32(signature[32:]));
        check(P256Lib.inRange(r, s), "SIGNATURE_INVALID");
        bytes memory record = _signer(signer, _requireList(ROOT));
        CollateralLib.requireWithin(
            CertificateRecord.window(record), block.timestamp, "CERT_EXPIRED", "CERT_NOT_YET_VALID"
        );
        Issuer memory key = CertificateRecord.issuer(record);
        id = sha256(document);
        check(P256Lib.verify(NATIVE_P256, id, r, s, key.x, key.y), reason);
    }

    /// @dev False where the very document is in force already.
    function _requireNewer(Document memory document, address pointer, bytes32 id)
        private
        view
        returns (bool)
    {
        CollateralLib.requireWithin(
            document.issueDate << 40 | document.nextUpdate,
            block.timestamp,
            "COLLATERAL_EXPIRED",
            "COLLATERAL_NOT_YET_VALID"
        );
        if (pointer == address(0)) return true;
        uint256 p = Mem.at(Mem.code(pointer, 1));
        if (bytes32(Mem.word(p + 23)) == id) return false;
        uint256 issueDate = Mem.number(p, 5);
        uint256 evaluationNumber = Mem.number(p + 10, 4);
        check(
            document.issueDate >= issueDate && document.evaluationNumber >= evaluationNumber
                && (document.issueDate > issueDate || document.evaluationNumber > evaluationNumber),
            "COLLATERAL_ROLLBACK"
        );
        return true;
    }

    function _packed(Document memory document, bytes32 id, bytes32 signer)
        private
        pure
        returns (bytes memory)
    {
        return abi.encodePacked(
            uint40(document.issueDate),
            uint40(document.nextUpdate),
            uint32(document.evaluationNumber),
            uint8(document.teeType),
            uint48(document.fmspc),
            uint16(document.pceId),
            id,
            signer,
            document.section
        );
    }

    /* COLLATERAL */

    /// @inheritdoc ICollateralStore
    function assemble(uint256 teeType, uint256 fmspc, uint256 authority) external {
        address pointer = SSTORE2.write(_assemble(teeType, fmspc, authority));
        _assembled[teeType][fmspc][authority] =
            Assembled(pointer, uint96(_stampsOf(_stamps, teeType, authority)));
        emit CollateralAssembled(teeType, bytes6(uint48(fmspc)), authority, pointer);
    }

    /// @inheritdoc ICollateralStore
    function collateral(uint256 teeType, uint256 fmspc, uint256 authority)
        external
        view
        returns (bytes memory)
    {
        return _current(teeType, fmspc, authority);
    }

    /// @inheritdoc ICollateralHashes
    function collateralHashes(uint256 teeType, bytes6 fmspc, uint256 authority)
        external
        view
        returns (bytes32[6] memory hashes)
    {
        uint256 p = CollateralLib.hashes(Mem.at(_current(teeType, uint48(fmspc), authority)));
        for (uint256 i = 0; i < 6; ++i) {
            hashes[i] = bytes32(Mem.word(p + 32 * i));
        }
    }

    /// @dev In one piece where it was put together since its parts changed, else put together now.
    function _current(uint256 teeType, uint256 fmspc, uint256 authority)
        private
        view
        returns (bytes memory)
    {
        Assembled memory ready = _assembled[teeType][fmspc][authority];
        if (ready.pointer != address(0) && ready.stamps == _stampsOf(_stamps, teeType, authority)) {
            return Mem.code(ready.pointer, 1);
        }
        return _assemble(teeType, fmspc, authority);
    }

    /// @dev Reverts for what is missing or revoked.
    function _assemble(uint256 teeType, uint256 fmspc, uint256 authority)
        private
        view
        returns (bytes memory)
    {
        check(authority == PLATFORM || authority == PROCESSOR, "COLLATERAL_INCOMPLETE");
        Parts memory parts;
        parts.rootWindow = _ROOT_WINDOW;
        parts.rootCrl = _requireList(ROOT);
        parts.tcbInfo = _kept(_tcbInfos[teeType][fmspc], "FMSPC_MISMATCH");
        parts.qeIdentity = _kept(_identities[teeType], "COLLATERAL_INCOMPLETE");
        parts.tcbSigner = _signer(bytes32(Mem.word(Mem.at(parts.tcbInfo) + 55)), parts.rootCrl);
        parts.qeSigner = _signer(bytes32(Mem.word(Mem.at(parts.qeIdentity) + 55)), parts.rootCrl);
        parts.authority = _kept(_authorities[authority], "COLLATERAL_INCOMPLETE");
        check(
            !CrlLib.lists(parts.rootCrl, CertificateRecord.serial(parts.authority)), "CERT_REVOKED"
        );
        parts.pckCrl = _requireList(authority);
        parts.pckCrlPointer = _lists[authority];
        uint256 stamps = _stamps;
        parts.pckCrlStamp = _stamp(stamps, STAMP_LISTS + authority);
        parts.authorityNumber = authority;
        parts.authorityEpoch = uint16(stamps >> (EPOCHS + 16 * (authority - 1)));
        return CollateralLib.pack(parts);
    }

    /// @dev The record of a TCB signer that is not revoked.
    function _signer(bytes32 id, bytes memory rootCrl) private view returns (bytes memory record) {
        record = _kept(_signers[id], "COLLATERAL_INCOMPLETE");
        check(!CrlLib.lists(rootCrl, CertificateRecord.serial(record)), "CERT_REVOKED");
    }

    function _requireList(uint256 issuer) private view returns (bytes memory) {
        return _kept(_lists[issuer], "CRL_MISSING");
    }

    function _kept(address pointer, bytes32 reason) private view returns (bytes memory) {
        check(pointer != address(0), reason);
        return Mem.code(pointer, 1);
    }

    /* VIEWS */

    /// @inheritdoc ICollateralStore
    function authorityRecord(uint256 authority) external view returns (bytes memory) {
        return _kept(_authorities[authority], "COLLATERAL_INCOMPLETE");
    }

    /// @inheritdoc ICollateralStore
    function authorityOf(bytes32 certificate) external view returns (uint256) {
        for (uint256 authority = PLATFORM; authority <= PROCESSOR; ++authority) {
            address pointer = _authorities[authority];
            if (pointer == address(0)) continue;
            if (CertificateRecord.derHash(Mem.code(pointer, 1)) == certificate) return authority;
        }
        return 0;
    }

    /// @inheritdoc ICollateralStore
    function tcbInfo(uint256 teeType, uint256 fmspc) external view returns (bytes memory) {
        return Mem.code(_tcbInfos[teeType][fmspc], 1);
    }

    /// @inheritdoc ICollateralStore
    function qeIdentity(uint256 teeType) external view returns (bytes memory) {
        return Mem.code(_identities[teeType], 1);
    }

    /// @inheritdoc ICollateralStore
    function revocationList(uint256 issuer) external view returns (bytes memory) {
        return Mem.code(_lists[issuer], 1);
    }

    /* STAMPS */

    function _bump(uint256 place) private {
        check(_stamp(_stamps, place) != MAX_STAMP, "COLLATERAL_INCONSISTENT");
        _stamps += BIT << (STAMP_BITS * place);
    }

    function _stamp(uint256 stamps, uint256 place) private pure returns (uint256) {
        unchecked {
            return stamps >> (STAMP_BITS * place) & MAX_STAMP;
        }
    }

    /// @dev The stamps of all that collateral is put together from, the TCB info aside.
    function _stampsOf(uint256 stamps, uint256 teeType, uint256 authority)
        private
        pure
        returns (uint256)
    {
        unchecked {
            uint256 place = STAMP_BITS * authority;
            return (stamps & MAX_STAMP) | (stamps >> place & MAX_STAMP) << 24
                | (stamps >> (place + STAMP_BITS * STAMP_AUTHORITIES) & MAX_STAMP) << 48
                | (stamps >> (STAMP_BITS * (STAMP_IDENTITIES + teeType)) & MAX_STAMP) << 72;
        }
    }

    function _root() private view returns (Issuer memory) {
        return Issuer(_ROOT_SUBJECT, _ROOT_KEY_ID, _ROOT_X, _ROOT_Y);
    }
}
