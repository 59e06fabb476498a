// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Mem} from "../dcap/Mem.sol";
import {TcbFacts, Terms} from "../interfaces/ITcbPolicy.sol";
import {CohortFacts} from "../interfaces/IWorkerRegistry.sol";
import {ProofKind} from "../types/ProofKind.sol";

/// @notice How a cohort stands, in one slot: its operator (160 bits), the last second of its standing
/// as of the epoch (32), the age of each worker's collateral up to which that holds, in seconds, 0 for
/// any (32), the log's epoch at which all this was found (24), four flags, and the proof kind (4).
type Standing is uint256;

using StandingLib for Standing global;

/// @title StandingLib
/// @notice Packs a cohort's standing.
library StandingLib {
    uint256 private constant PERSONAL = 0x10;
    uint256 private constant OPEN = 0x20;
    uint256 private constant COUNTED = 0x40;
    uint256 private constant SHARED = 0x80;
    uint256 private constant OF_EACH = PERSONAL | uint256(type(uint32).max) << 32;

    function from(CohortFacts memory facts, uint32 until_, uint24 epoch_, Terms memory terms)
        internal
        pure
        returns (Standing)
    {
        uint256 traits = uint256(facts.kind) | (terms.open ? OPEN : 0);
        if (terms.counted) traits |= COUNTED | PERSONAL;
        if (terms.personal) traits |= PERSONAL;
        if (terms.shared) traits |= SHARED;
        return Standing.wrap(
            uint256(uint160(facts.operator)) << 96 | uint256(until_) << 64
                | uint256(terms.maxCollateralAge) << 32 | uint256(epoch_) << 8 | traits
        );
    }

    /// @notice The same standing with the cohort's number in the operator's place.
    function numbered(Standing standing, uint32 cohort) internal pure returns (Standing) {
        uint256 rest = Standing.unwrap(standing) & type(uint96).max;
        return Standing.wrap(uint256(cohort) << 96 | rest);
    }

    /// @notice What {numbered} put there.
    function number(Standing standing) internal pure returns (uint32) {
        return uint32(Standing.unwrap(standing) >> 96);
    }

    function operator(Standing standing) internal pure returns (address) {
        return address(uint160(Standing.unwrap(standing) >> 96));
    }

    function until(Standing standing) internal pure returns (uint32) {
        return uint32(Standing.unwrap(standing) >> 64);
    }

    function maxCollateralAge(Standing standing) internal pure returns (uint32) {
        return uint32(Standing.unwrap(standing) >> 32);
    }

    function epoch(Standing standing) internal pure returns (uint24) {
        return uint24(Standing.unwrap(standing) >> 8);
    }

    function kind(Standing standing) internal pure returns (ProofKind) {
        return ProofKind(Standing.unwrap(standing) & 0xf);
    }

    /// @notice Whether it carries every worker of the cohort at `time`, of whatever age, while it is current.
    function carriesAll(Standing standing, uint256 time) internal pure returns (bool) {
        uint256 word = Standing.unwrap(standing);
        return word & OF_EACH == 0 && uint32(word >> 64) >= time;
    }

    /// @notice Whether more than one kind of proof must stand for each worker, which makes it personal.
    function isCounted(Standing standing) internal pure returns (bool) {
        return Standing.unwrap(standing) & COUNTED != 0;
    }

    /// @notice Whether the policy names single platforms or workers: each worker must be looked at.
    function isPersonal(Standing standing) internal pure returns (bool) {
        return Standing.unwrap(standing) & PERSONAL != 0;
    }

    /// @notice Whether more than one worker may run on a platform.
    function isShared(Standing standing) internal pure returns (bool) {
        return Standing.unwrap(standing) & SHARED != 0;
    }

    /// @notice Whether the cohort takes newcomers.
    function isOpen(Standing standing) internal pure returns (bool) {
        return Standing.unwrap(standing) & OPEN != 0;
    }
}

/// @title CohortLib
/// @notice Packs a cohort's facts, which are kept as code.
library CohortLib {
    /// @dev App, measurement, operator, route, kind, TEE type, TCB status, FMSPC, attributes, evaluation
    /// number; then the advisories, 32 bytes each.
    uint256 private constant HEAD_LENGTH = 109;

    function encode(CohortFacts memory facts) internal pure returns (bytes memory) {
        return bytes.concat(
            abi.encodePacked(facts.appId, facts.measurementId, facts.operator, facts.route),
            abi.encodePacked(facts.kind, facts.teeType, facts.tcbStatus, facts.fmspc),
            abi.encodePacked(facts.attributes, facts.evaluationNumber, facts.advisories)
        );
    }

    /// @dev Only of what {encode} wrote.
    function decode(bytes memory data) internal pure returns (CohortFacts memory facts) {
        uint256 p = Mem.at(data);
        facts.appId = bytes32(Mem.word(p));
        facts.measurementId = bytes32(Mem.word(p + 32));
        facts.operator = address(uint160(Mem.number(p + 64, 20)));
        facts.route = bytes4(uint32(Mem.number(p + 84, 4)));
        facts.kind = ProofKind(Mem.u8(p + 88));
        facts.teeType = uint8(Mem.u8(p + 89));
        facts.tcbStatus = uint8(Mem.u8(p + 90));
        facts.fmspc = bytes6(uint48(Mem.number(p + 91, 6)));
        facts.attributes = bytes8(uint64(Mem.number(p + 97, 8)));
        facts.evaluationNumber = uint32(Mem.number(p + 105, 4));
        facts.advisories = new bytes32[]((data.length - HEAD_LENGTH) / 32);
        for (uint256 i = 0; i < facts.advisories.length; ++i) {
            facts.advisories[i] = bytes32(Mem.word(p + HEAD_LENGTH + 32 * i));
        }
    }

    /// @notice What a policy judges of the cohort.
    function tcbFacts(CohortFacts memory facts) internal pure returns (TcbFacts memory) {
        return TcbFacts({
            teeType: facts.teeType,
            tcbStatus: facts.tcbStatus,
            kind: uint8(facts.kind),
            fmspc: facts.fmspc,
            attributes: facts.attributes,
            evaluationNumber: facts.evaluationNumber,
            measurementId: facts.measurementId,
            advisories: facts.advisories
        });
    }
}
