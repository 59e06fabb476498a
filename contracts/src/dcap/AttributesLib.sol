// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Mem} from "./Mem.sol";
import {Quote, QuoteLib} from "./QuoteLib.sol";
import {check, refuse} from "./Refusal.sol";

/// @title AttributesLib
/// @notice Step 11: nothing a host, a debugger or another TD could look into.
library AttributesLib {
    /// @dev DEBUG, PROVISION_KEY and EINITTOKEN_KEY of the SGX flags' first byte; INIT must be set.
    uint256 private constant SGX_FORBIDDEN = 0x32;
    uint256 private constant SGX_INIT = 0x01;
    /// @dev TD attributes as the report has them, little-endian: the first byte is the debug group.
    uint256 private constant TUD = 0xff00000000000000;
    /// @dev Reserved bits, MIGRATABLE and SERVTD_EXT: 0x3FFFFFFF_2782FF8E.
    uint256 private constant TD_FORBIDDEN = 0x8eff8227ffffff3f;
    uint256 private constant SEPT_VE_DISABLE = 0x0000001000000000;
    uint256 private constant TD_JUDGED = TUD | TD_FORBIDDEN | SEPT_VE_DISABLE;

    /// @notice Refuses attributes that make the TEE worthless.
    function requireClosed(Quote memory quote) internal pure {
        unchecked {
            if (quote.teeType == QuoteLib.SGX) {
                uint256 flags = Mem.u8(quote.body + 48);
                check(flags & SGX_INIT != 0 && flags & SGX_FORBIDDEN == 0, "SGX_ATTR_FORBIDDEN");
                return;
            }
            uint256 attributes = Mem.word(quote.body + 120) >> 192;
            if (attributes & TD_JUDGED != SEPT_VE_DISABLE) {
                check(attributes & TUD == 0, "TD_DEBUG");
                check(attributes & TD_FORBIDDEN == 0, "TD_ATTR_FORBIDDEN");
                refuse("SEPT_VE_NOT_DISABLED");
            }
            if (!QuoteLib.isTd15(quote)) return;
            uint256 service = Mem.word(quote.body + 600) | Mem.number(quote.body + 632, 16);
            check(service == 0, "SERVICE_TD_FORBIDDEN");
        }
    }
}
