// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {SSTORE2} from "solady/utils/SSTORE2.sol";

import {ICollateralStore, LongRevocationList} from "../interfaces/ICollateralStore.sol";
import {CertificateRecord} from "./CertificateRecord.sol";
import {CollateralIndex} from "./CollateralIndex.sol";
import {CollateralLib} from "./CollateralLib.sol";
import {CrlLib} from "./CrlLib.sol";
import {Document, DocumentLib} from "./DocumentLib.sol";
import {DocumentParser} from "./DocumentParser.sol";
import {LongListLib} from "./LongListLib.sol";
import {Mem} from "./Mem.sol";
import {P256Lib} from "./P256Lib.sol";
import {check, refuse} from "./Refusal.sol";
import {RevocationList, RevocationListParser} from "./RevocationListParser.sol";
import {TrustedRoot} from "./TrustedRoot.sol";
import {Certificate, Issuer, Role, X509} from "./X509.sol";

/// @title CollateralStore
/// @notice Intel's collateral, proven down from one root certificate and kept packed.
/// @dev Immutable: no proxy, no owner. What is kept is kept as code (SSTORE2), so that reading costs
/// one account access however long it is.
/// @dev INTEGRATOR RESPONSIBILITIES. What is signed is judged here, what it says is read by two
/// contracts that were named at deployment: a store is worth what their code is. `quotary deploy
/// verify` compares both with the sources.
contract CollateralStore is CollateralIndex {
    /* IMMUTABLES */

    /// @notice Reads TCB infos and QE identities.
    DocumentParser public immutable DOCUMENT_PARSER;
    /// @notice Reads revocation lists.
    RevocationListParser public immutable LIST_PARSER;

    /* CONSTRUCTOR */

    /// @param root The DER of the self-signed root certificate that is trusted, for ever.
    constructor(bytes memory root, DocumentParser documentParser, RevocationListParser listParser)
        TrustedRoot(root)
    {
        DOCUMENT_PARSER = documentParser;
        LIST_PARSER = listParser;
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
            if (was.x != is_.x || was.y != is_.y || was.subject != is_.subject) {
                _startEpoch(authority);
            }
        }
        _authorities[authority] = SSTORE2.write(record);
        _bumpAuthority(authority);
        return true;
    }

    /* REVOCATION LISTS */

    /// @inheritdoc ICollateralStore
    function putRevocationList(bytes calldata der) external {
        RevocationList memory list = LIST_PARSER.parse(der);
        _putList(list, _issuerOf(list));
    }

    /// @inheritdoc ICollateralStore
    function keepSerials(bytes calldata serials) external returns (address part) {
        uint256 length = serials.length;
        check(
            length != 0 && length % CrlLib.SERIAL_LENGTH == 0
                && length <= CrlLib.SERIAL_LENGTH * LongListLib.SERIALS_PER_PART,
            "CRL_INVALID"
        );
        part = SSTORE2.predictCounterfactualAddress(serials, 0);
        if (part.code.length != 0) return part;
        // To the address above, or it reverts.
        // slither-disable-next-line unused-return
        SSTORE2.writeCounterfactual(serials, 0);
        emit SerialsKept(part);
    }

    /// @inheritdoc ICollateralStore
    function putLongRevocationList(LongRevocationList calldata long) external {
        RevocationList memory list = LIST_PARSER.parseLong(long);
        uint256 issuer = _issuerOf(list);
        // What the root revoked is looked up where certificates are brought: in one piece.
        check(issuer != ROOT, "CRL_TOO_LARGE");
        _putList(list, issuer);
    }

    /// @dev Whose list it is; refuses one that is nobody's.
    function _issuerOf(RevocationList memory list) private view returns (uint256 issuer) {
        if (list.issuer == _ROOT_SUBJECT) {
            _requireIssued(list, _root());
            return ROOT;
        }
        Issuer memory authority;
        for (issuer = PLATFORM; issuer <= PROCESSOR; ++issuer) {
            if (_authorities[issuer] == address(0)) continue;
            authority = CertificateRecord.issuer(Mem.code(_authorities[issuer], 1));
            if (authority.subject == list.issuer) break;
        }
        check(issuer <= PROCESSOR, "CRL_ISSUER_MISMATCH");
        _requireIssued(list, authority);
    }

    function _putList(RevocationList memory list, uint256 issuer) private {
        CollateralLib.requireWithin(
            list.thisUpdate << 40 | list.nextUpdate,
            block.timestamp,
            "CRL_EXPIRED",
            "CRL_NOT_YET_VALID"
        );
        if (issuer == ROOT) check(!CrlLib.lists(list.packed, _ROOT_SERIAL), "CERT_REVOKED");
        if (_lists[issuer] != address(0)) {
            uint256 p = Mem.at(Mem.code(_lists[issuer], 1));
            if (bytes32(Mem.word(p + 10)) == list.id) return;
            check(list.thisUpdate > Mem.number(p, 5), "COLLATERAL_ROLLBACK");
        }
        _lists[issuer] = SSTORE2.write(list.packed);
        _bumpList(issuer);
        emit RevocationListStored(
            issuer, list.id, uint64(list.thisUpdate), uint64(list.nextUpdate), list.count
        );
    }

    /// @dev Refuses unless the list, which names `issuer`, is its own.
    function _requireIssued(RevocationList memory list, Issuer memory issuer) private view {
        check(list.authorityKeyId == issuer.subjectKeyId, "CRL_SIGNATURE_INVALID");
        check(
            P256Lib.verify(NATIVE_P256, list.id, list.r, list.s, issuer.x, issuer.y),
            "CRL_SIGNATURE_INVALID"
        );
    }

    /* DOCUMENTS */

    /// @inheritdoc ICollateralStore
    function putTcbInfo(bytes calldata document, bytes calldata signature, bytes32 signer)
        external
    {
        bytes32 id = _requireSigned(document, signature, signer, "TCB_INFO_SIGNATURE_INVALID");
        Document memory info = DOCUMENT_PARSER.parseTcbInfo(document);
        uint256 teeType = info.teeType;
        uint256 fmspc = info.fmspc;
        if (!_requireNewer(info, _tcbInfos[teeType][fmspc], id)) return;
        _tcbInfos[teeType][fmspc] = SSTORE2.write(_packed(info, id, signer));
        _takeApart(teeType, fmspc);
        emit TcbInfoStored(
            teeType,
            bytes6(uint48(fmspc)),
            id,
            uint64(info.issueDate),
            uint64(info.nextUpdate),
            uint32(info.evaluationNumber)
        );
    }

    /// @inheritdoc ICollateralStore
    function putQeIdentity(bytes calldata document, bytes calldata signature, bytes32 signer)
        external
    {
        bytes32 id = _requireSigned(document, signature, signer, "QE_IDENTITY_SIGNATURE_INVALID");
        Document memory identity = DOCUMENT_PARSER.parseQeIdentity(document);
        uint256 teeType = identity.teeType;
        if (!_requireNewer(identity, _identities[teeType], id)) return;
        _identities[teeType] = SSTORE2.write(_packed(identity, id, signer));
        _bumpIdentity(teeType);
        emit QeIdentityStored(
            teeType,
            id,
            uint64(identity.issueDate),
            uint64(identity.nextUpdate),
            uint32(identity.evaluationNumber)
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
        returns (bytes memory packed)
    {
        bytes memory section = document.section;
        unchecked {
            packed = new bytes(DocumentLib.HEAD_LENGTH + section.length);
            uint256 p = Mem.at(packed);
            uint256 head = document.issueDate << 216 | document.nextUpdate << 176;
            head |= document.evaluationNumber << 144 | document.teeType << 136;
            Mem.store(p, head | document.fmspc << 88 | document.pceId << 72);
            Mem.store(p + 23, uint256(id));
            Mem.store(p + 55, uint256(signer));
            Mem.copy(p + DocumentLib.HEAD_LENGTH, Mem.at(section), section.length);
        }
    }
}
