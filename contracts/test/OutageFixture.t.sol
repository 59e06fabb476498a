// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {CollateralCalendar} from "../src/dcap/CollateralCalendar.sol";
import {ICollateralCalendar} from "../src/interfaces/ICollateralCalendar.sol";
import {ICollateralStore} from "../src/interfaces/ICollateralStore.sol";
import {Verdict} from "../src/types/Verdict.sol";
import {WorkerBinding} from "../src/types/WorkerBinding.sol";
import {PolicyFixture} from "./PolicyFixture.t.sol";

/// @notice The dates of a collateral store without its signatures: documents 0, TCB info; 1, QE
/// identity; 2 to 4, the revocation lists. tests/bridge/test_admission.py has the store itself.
contract Dates {
    uint256 public constant DOCUMENTS = 5;

    mapping(uint256 document => uint64[2]) private _windows;

    /// @dev A later document takes the place of an earlier one, as in the store; never the reverse.
    function put(uint256 document, uint64 issued, uint64 until) external {
        if (issued < _windows[document][0]) return;
        _windows[document] = [issued, until];
    }

    function windowOf(uint256 document) external view returns (uint64 issued, uint64 until) {
        return (_windows[document][0], _windows[document][1]);
    }

    function tcbInfo(uint256, uint256) external view returns (bytes memory) {
        return _packed(0);
    }

    function qeIdentity(uint256) external view returns (bytes memory) {
        return _packed(1);
    }

    function revocationList(uint256 issuer) external view returns (bytes memory) {
        return _packed(2 + issuer);
    }

    function _packed(uint256 document) private view returns (bytes memory) {
        uint64[2] memory window = _windows[document];
        if (window[1] == 0) return "";
        return abi.encodePacked(uint40(window[0]), uint40(window[1]), "and what it says");
    }
}

/// @notice A deployment whose registrations reach further while the vendor renews nothing.
abstract contract OutageFixture is PolicyFixture {
    uint64 internal constant STRETCH = 14 days;

    Dates internal dates;
    ICollateralCalendar internal calendar;
    /// @dev When the collateral in force was issued, and its last second.
    uint64 internal issued;
    uint64 internal ends;

    function setUp() public virtual override {
        super.setUp();
        (issued, ends) = (uint64(block.timestamp) - 25 days, uint64(block.timestamp) + 5 days);
        for (uint256 i = 0; i < dates.DOCUMENTS(); ++i) {
            // All issued within a week, for thirty days each; the TCB info is the first to end.
            dates.put(i, issued - 6 days + uint64(i) * 1 days, ends + uint64(i) * 1 hours);
        }
        dates.put(2, issued, ends + 340 days);
    }

    function _calendar() internal override returns (ICollateralCalendar) {
        if (address(calendar) == address(0)) {
            dates = new Dates();
            calendar = new CollateralCalendar(ICollateralStore(address(dates)), STRETCH);
        }
        return calendar;
    }

    /// @dev A verdict by the collateral in force.
    function _sound(address key, WorkerBinding memory binding)
        internal
        view
        returns (Verdict memory verdict)
    {
        verdict = _boundVerdict(key, binding);
        (verdict.validFrom, verdict.validUntil) = (issued, ends);
    }
}
