// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IResultOracle, Reveal} from "../interfaces/IResultOracle.sol";
import {Quorum, Rule} from "../types/Request.sol";

/// @title AgreementLib
/// @notice Closed rounds of commitments, and whether answers agree.
library AgreementLib {
    /// @dev TEE types by vendor (docs/formats.md, "TEE types"): SGX and TDX are both Intel's.
    uint8 private constant TDX = 2;
    uint8 private constant INTEL = 1;

    /* ROUNDS */

    /// @notice The hash that statements name a round by. Reverts with {RoundOutOfOrder} unless it has at
    /// least as many commitments as must agree and at most as many as there are seats, ascending.
    function roundOf(bytes32[] calldata commitments, Quorum memory quorum)
        internal
        pure
        returns (bytes32)
    {
        uint256 count = commitments.length;
        bool closed = count >= quorum.results && count <= quorum.seats;
        for (uint256 i = 1; i < count; ++i) {
            closed = closed && commitments[i - 1] < commitments[i];
        }
        require(closed, IResultOracle.RoundOutOfOrder(count, quorum.results, quorum.seats));
        return keccak256(abi.encodePacked(commitments));
    }

    /* AGREEMENT */

    /// @notice Whether two decisions agree under the rule of `quorum`.
    function agree(Quorum memory quorum, bytes32 one, bytes32 other) internal pure returns (bool) {
        if (quorum.rule != Rule.Tolerance) return one == other;
        (int256 a, int256 b) = (int256(uint256(one)), int256(uint256(other)));
        unchecked {
            // The true distance of two words fits an unsigned one.
            uint256 distance = a > b ? uint256(a) - uint256(b) : uint256(b) - uint256(a);
            return distance <= quorum.tolerance;
        }
    }

    /// @notice Reverts with {RoundUndecided} where some of `decisions`, with the `unseen` ones of the
    /// round, might still be a quorum.
    function requireUndecidable(Quorum memory quorum, bytes32[] memory decisions, uint256 unseen)
        internal
        pure
    {
        // A median still unseen may have answers on either side of it.
        if (unseen != 0) quorum.tolerance *= 2;
        uint256 most = 0;
        for (uint256 i = 0; i < decisions.length; ++i) {
            uint256 count = 0;
            for (uint256 j = 0; j < decisions.length; ++j) {
                if (agree(quorum, decisions[i], decisions[j])) ++count;
            }
            if (count > most) most = count;
        }
        require(most + unseen < quorum.results, IResultOracle.RoundUndecided(most, unseen));
    }

    /// @notice Reverts with {Disagreement} unless all of `decisions`, those of `reveals`, agree with
    /// `decision`, and with {NotTheMedian} where it must be their median and is not.
    function requireAgreement(
        Quorum memory quorum,
        Reveal[] calldata reveals,
        bytes32[] memory decisions,
        bytes32 decision
    ) internal pure {
        for (uint256 i = 0; i < decisions.length; ++i) {
            if (agree(quorum, decisions[i], decision)) continue;
            revert IResultOracle.Disagreement(reveals[i].worker, decisions[i], decision);
        }
        if (quorum.rule == Rule.Tolerance) requireMedian(decisions, decision);
    }

    /// @notice Reverts with {NotTheMedian} unless no more than half of `decisions` lie below `decision`,
    /// and no more than half above. So as long as the wrong ones are fewer than half, the median lies
    /// between right ones.
    function requireMedian(bytes32[] memory decisions, bytes32 decision) internal pure {
        (uint256 below, uint256 above) = (0, 0);
        int256 middle = int256(uint256(decision));
        for (uint256 i = 0; i < decisions.length; ++i) {
            int256 value = int256(uint256(decisions[i]));
            if (value < middle) ++below;
            if (value > middle) ++above;
        }
        uint256 half = decisions.length / 2;
        require(below <= half && above <= half, IResultOracle.NotTheMedian(decision));
    }

    /* DIVERSITY */

    /// @notice Reverts with {TooFewDistinct} unless `owners` has `required` different addresses.
    function requireOperators(address[] memory owners, uint256 required) internal pure {
        uint256 distinct = 0;
        for (uint256 i = 0; i < owners.length && distinct < required; ++i) {
            bool isNew = true;
            for (uint256 j = 0; j < i; ++j) {
                isNew = isNew && owners[j] != owners[i];
            }
            if (isNew) ++distinct;
        }
        require(distinct >= required, IResultOracle.TooFewDistinct(distinct, required));
    }

    /// @notice The vendor of a TEE type, as a bit of a set.
    function vendorBit(uint8 teeType) internal pure returns (uint256) {
        uint256 vendor = teeType <= TDX ? INTEL : teeType;
        return uint256(1) << vendor;
    }

    /// @notice Reverts with {TooFewDistinct} unless the set has `required` members.
    function requireVendors(uint256 vendors, uint256 required) internal pure {
        uint256 distinct = 0;
        for (; vendors != 0; vendors &= vendors - 1) {
            ++distinct;
        }
        require(distinct >= required, IResultOracle.TooFewDistinct(distinct, required));
    }
}
