// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {LongRevocationList} from "../interfaces/ICollateralStore.sol";
import {Crl, CrlLib} from "./CrlLib.sol";
import {LongListLib} from "./LongListLib.sol";
import {Mem} from "./Mem.sol";

/// @dev What a revocation list says of itself, who signed it, and what is kept of it. `id` is SHA-256 of
/// the signed bytes, `issuer` Keccak-256 of the issuer's name, `packed` as {CrlLib} says.
struct RevocationList {
    bytes32 id;
    bytes32 issuer;
    bytes32 authorityKeyId;
    uint256 thisUpdate;
    uint256 nextUpdate;
    uint256 count;
    uint256 r;
    uint256 s;
    bytes packed;
}

/// @title RevocationListParser
/// @notice Reads X.509 revocation lists, and packs them. A part of {CollateralStore}, apart as
/// {DocumentParser} is.
/// @dev Parsing proves nothing: no signature is verified here. Stateless.
contract RevocationListParser {
    /// @notice Parses the list that is all of `der`.
    function parse(bytes calldata der) external view returns (RevocationList memory list) {
        Crl memory crl = CrlLib.parse(der);
        list.id = Mem.sha(crl.tbs, crl.tbsLength);
        list.count = crl.serials.length;
        list.packed = CrlLib.pack(crl, list.id);
        _tell(list, crl);
    }

    /// @notice Parses a list that is put together from parts.
    function parseLong(LongRevocationList calldata long)
        external
        view
        returns (RevocationList memory list)
    {
        Crl memory crl;
        (crl, list.id, list.packed, list.count) = LongListLib.parse(long);
        _tell(list, crl);
    }

    function _tell(RevocationList memory list, Crl memory crl) private pure {
        list.issuer = crl.issuer;
        list.authorityKeyId = crl.authorityKeyId;
        list.thisUpdate = crl.thisUpdate;
        list.nextUpdate = crl.nextUpdate;
        list.r = crl.r;
        list.s = crl.s;
    }
}
