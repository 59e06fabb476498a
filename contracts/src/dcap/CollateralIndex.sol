// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {SSTORE2} from "solady/utils/SSTORE2.sol";

import {ICollateralHashes} from "../interfaces/ICollateralHashes.sol";
import {ICollateralStore} from "../interfaces/ICollateralStore.sol";
import {CertificateRecord} from "./CertificateRecord.sol";
import {CollateralLib, Parts} from "./CollateralLib.sol";
import {CrlLib} from "./CrlLib.sol";
import {Mem} from "./Mem.sol";
import {BIT, check} from "./Refusal.sol";
import {TrustedRoot} from "./TrustedRoot.sol";

/// @title CollateralIndex
/// @notice Where each part of the collateral in force is kept, and how the parts of one platform family
/// come together.
/// @dev What is kept is kept as code (SSTORE2), so that reading costs one account access however long
/// it is. Nothing here judges what is brought: that is {CollateralStore}'s.
abstract contract CollateralIndex is TrustedRoot, ICollateralHashes {
    /* CONSTANTS */

    uint256 internal constant PLATFORM = 1;
    uint256 internal constant PROCESSOR = 2;
    /// @dev The issuer number of the root's revocation list.
    uint256 internal constant ROOT = 0;

    /// @dev Places in {_stamps}, 24 bits each: the root's revocation list; for each authority its list,
    /// then its certificate; QE identities, by TEE type. Then the epochs of the authorities' keys, 16
    /// bits each.
    uint256 private constant STAMP_ROOT = 0;
    uint256 private constant STAMP_LISTS = 1;
    uint256 private constant STAMP_AUTHORITIES = 2;
    uint256 private constant STAMP_IDENTITIES = 5;
    uint256 private constant EPOCHS = 168;
    uint256 private constant STAMP_BITS = 24;
    uint256 private constant MAX_STAMP = type(uint24).max;

    /* STORAGE */

    mapping(bytes32 id => address) internal _signers;
    mapping(uint256 authority => address) internal _authorities;
    mapping(uint256 issuer => address) internal _lists;
    mapping(uint256 teeType => address) internal _identities;
    mapping(uint256 teeType => mapping(uint256 fmspc => address)) internal _tcbInfos;
    /// @dev What changes makes collateral that was put together stale: see STAMP_*.
    uint256 private _stamps;
    /// @dev Collateral in one piece: where it is (160 bits), and the stamps of its parts (96).
    mapping(uint256 family => uint256) private _assembled;

    /* COLLATERAL */

    /// @inheritdoc ICollateralStore
    function assemble(uint256 teeType, uint256 fmspc, uint256 authority) external {
        address pointer = SSTORE2.write(_assemble(teeType, fmspc, authority));
        _assembled[_family(teeType, fmspc, authority)] =
            uint256(uint160(pointer)) | _stampsOf(_stamps, teeType, authority) << 160;
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
        address pointer = _ready(_family(teeType, fmspc, authority));
        if (pointer != address(0)) return Mem.code(pointer, 1);
        return _assemble(teeType, fmspc, authority);
    }

    /// @dev Makes what was put together with the TCB info of a platform family stale.
    function _takeApart(uint256 teeType, uint256 fmspc) internal {
        delete _assembled[_family(teeType, fmspc, PLATFORM)];
        delete _assembled[_family(teeType, fmspc, PROCESSOR)];
    }

    /// @dev The family's number: FMSPC (6 bytes), authority (1), TEE type (1); 0, which is none's, for
    /// what is no family.
    function _family(uint256 teeType, uint256 fmspc, uint256 authority)
        private
        pure
        returns (uint256)
    {
        unchecked {
            if ((teeType | authority) >> 8 | fmspc >> 48 != 0) return 0;
            return fmspc << 16 | authority << 8 | teeType;
        }
    }

    /// @dev Where the collateral is in one piece and nothing changed since; zero where it is not.
    function _ready(uint256 family) private view returns (address) {
        uint256 ready = _assembled[family];
        uint256 stamps = _stampsOf(_stamps, family & 0xff, family >> 8 & 0xff);
        return ready >> 160 == stamps ? address(uint160(ready)) : address(0);
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
        unchecked {
            parts.pckCrlStamp = _stamp(stamps, STAMP_LISTS + 2 * (authority - 1));
            parts.authorityEpoch = uint16(stamps >> (EPOCHS + 16 * (authority - 1)));
        }
        parts.authorityNumber = authority;
        return CollateralLib.pack(parts);
    }

    /// @dev The record of a TCB signer that is not revoked.
    function _signer(bytes32 id, bytes memory rootCrl) internal view returns (bytes memory record) {
        record = _kept(_signers[id], "COLLATERAL_INCOMPLETE");
        check(!CrlLib.lists(rootCrl, CertificateRecord.serial(record)), "CERT_REVOKED");
    }

    function _requireList(uint256 issuer) internal view returns (bytes memory) {
        return _kept(_lists[issuer], "CRL_MISSING");
    }

    function _kept(address pointer, bytes32 reason) internal view returns (bytes memory) {
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
    function signerRecord(bytes32 id) external view returns (bytes memory) {
        return Mem.code(_signers[id], 1);
    }

    /// @inheritdoc ICollateralStore
    function assembledAt(uint256 family) external view returns (address) {
        return _ready(family);
    }

    /// @inheritdoc ICollateralStore
    function isAssembled(uint256 teeType, uint256 fmspc, uint256 authority)
        external
        view
        returns (bool)
    {
        return _ready(_family(teeType, fmspc, authority)) != address(0);
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

    function _bumpList(uint256 issuer) internal {
        unchecked {
            _bump(issuer == ROOT ? STAMP_ROOT : STAMP_LISTS + 2 * (issuer - 1));
        }
    }

    function _bumpAuthority(uint256 authority) internal {
        unchecked {
            _bump(STAMP_AUTHORITIES + 2 * (authority - 1));
        }
    }

    function _bumpIdentity(uint256 teeType) internal {
        unchecked {
            _bump(STAMP_IDENTITIES + teeType - 1);
        }
    }

    /// @dev A part changed: what was put together with it is stale.
    function _bump(uint256 place) private {
        check(_stamp(_stamps, place) != MAX_STAMP, "COLLATERAL_INCONSISTENT");
        unchecked {
            _stamps += BIT << (STAMP_BITS * place);
        }
    }

    /// @dev Platforms proven under an authority's old key, and its list, are to be brought anew.
    function _startEpoch(uint256 authority) internal {
        _stamps += BIT << (EPOCHS + 16 * (authority - 1));
        _lists[authority] = address(0);
        emit RevocationListStored(authority, 0, 0, 0, 0);
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
            uint256 own = stamps >> (2 * STAMP_BITS * authority - STAMP_BITS) & type(uint48).max;
            uint256 identity = stamps >> (STAMP_BITS * (STAMP_IDENTITIES - 1 + teeType)) & MAX_STAMP;
            return (stamps & MAX_STAMP) | own << 24 | identity << 72;
        }
    }
}
