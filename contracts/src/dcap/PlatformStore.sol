// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {SSTORE2} from "solady/utils/SSTORE2.sol";

import {IDcapVerifier} from "../interfaces/IDcapVerifier.sol";
import {Mem} from "./Mem.sol";
import {PlatformRecord} from "./PlatformRecord.sol";
import {refuse} from "./Refusal.sol";

/// @title PlatformStore
/// @notice Platforms and attestation keys that were proven. Their records do not change; what they are
/// worth is judged at every reading, under the collateral in force.
/// @dev A slot: where the record is kept (160 bits), and the stamp of the revocation list it was last
/// looked up in (24).
abstract contract PlatformStore is IDcapVerifier {
    uint256 private constant STAMP = 160;

    mapping(bytes32 certificate => uint256) private _platforms;
    mapping(bytes32 attestationKeyId => uint256) private _keys;

    /// @inheritdoc IDcapVerifier
    function platformOf(bytes32 certificate) external view returns (bytes memory) {
        return Mem.slice(
            Mem.at(Mem.code(address(uint160(_platforms[certificate])), 1)),
            _platforms[certificate] == 0 ? 0 : PlatformRecord.PLATFORM_LENGTH
        );
    }

    /// @inheritdoc IDcapVerifier
    function attestationKeyOf(bytes32 attestationKeyId) external view returns (bytes memory) {
        return Mem.code(address(uint160(_keys[attestationKeyId])), 1);
    }

    /// @dev Where in memory the record of a platform is, and the stamp of the list it was last looked up in.
    function _platform(bytes32 certificate) internal view returns (uint256 record, uint256 stamp) {
        return _read(_platforms[certificate], "PCK_CHAIN_MISSING");
    }

    /// @dev Where in memory the record of an attestation key is, and the stamp of the list its
    /// platform was last looked up in.
    function _key(bytes32 attestationKeyId) internal view returns (uint256 record, uint256 stamp) {
        return _read(_keys[attestationKeyId], "KEY_UNKNOWN");
    }

    /// @dev Keeps an attestation key, and its platform where `isNew`. A key that is known under a TCB
    /// at least as high stays as it is, so that nobody can degrade it with old evidence.
    function _keep(
        bytes memory record,
        bytes32 certificate,
        bytes32 attestationKeyId,
        uint256 stamp,
        bool isNew
    ) internal {
        uint256 p = Mem.at(record);
        isNew = isNew && _platforms[certificate] == 0;
        bool improves = _improves(p, _keys[attestationKeyId]);
        if (!isNew && !improves) return;
        uint256 slot = uint256(uint160(SSTORE2.write(record))) | stamp << STAMP;
        if (isNew) {
            _platforms[certificate] = slot;
            emit PlatformProven(
                certificate,
                PlatformRecord.platformId(p),
                bytes6(uint48(PlatformRecord.fmspc(p))),
                uint64(PlatformRecord.window(p) & type(uint40).max)
            );
        }
        if (improves) {
            _keys[attestationKeyId] = slot;
            emit AttestationKeyProven(attestationKeyId, certificate);
        }
    }

    /// @dev Remembers in which list the platform of a kept attestation key was looked up.
    function _restamp(bytes32 attestationKeyId, uint256 stamp) internal {
        uint256 slot = _keys[attestationKeyId];
        _keys[attestationKeyId] = slot & type(uint160).max | stamp << STAMP;
    }

    function _improves(uint256 p, uint256 slot) private view returns (bool) {
        if (slot == 0) return true;
        uint256 old = Mem.at(Mem.code(address(uint160(slot)), 1));
        if (Mem.keccak(old, PlatformRecord.LENGTH) == Mem.keccak(p, PlatformRecord.LENGTH)) {
            return false;
        }
        if (PlatformRecord.epoch(p) != PlatformRecord.epoch(old)) {
            return PlatformRecord.epoch(p) > PlatformRecord.epoch(old);
        }
        bool higher = PlatformRecord.pceSvn(p) >= PlatformRecord.pceSvn(old)
            && PlatformRecord.qeSvn(p) >= PlatformRecord.qeSvn(old);
        uint256 have = PlatformRecord.components(p);
        uint256 had = PlatformRecord.components(old);
        for (uint256 i = 0; higher && i < 128; i += 8) {
            higher = (have >> i) & 0xff >= (had >> i) & 0xff;
        }
        return higher;
    }

    function _read(uint256 slot, bytes32 reason)
        private
        view
        returns (uint256 record, uint256 stamp)
    {
        if (slot == 0) refuse(reason);
        return (Mem.kept(address(uint160(slot)), PlatformRecord.LENGTH), slot >> STAMP);
    }
}
