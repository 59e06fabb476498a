// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {CollateralStore} from "../../src/dcap/CollateralStore.sol";
import {DcapVerifier} from "../../src/dcap/DcapVerifier.sol";
import {IDcapVerifier} from "../../src/interfaces/IDcapVerifier.sol";
import {Verdict} from "../../src/types/Verdict.sol";
import {Base} from "../Base.t.sol";
import {DcapFixture} from "./DcapFixture.t.sol";

/// @notice Brings documents and quotes as they are or changed, in any order and at any time, and counts
/// what must never happen.
contract DcapHandler is DcapFixture {
    CollateralStore private immutable STORE;
    IDcapVerifier private immutable VERIFIER;

    uint256 private _now;
    mapping(bytes32 id => bool) private _isGenuine;
    bytes32 private _revoking;
    /// @dev The highest so far, by what it is of: see {_forward}.
    mapping(uint256 what => uint256) private _highest;
    bytes32[4] private _ids;

    uint256 public forgeries;
    uint256 public strangers;
    uint256 public stepsBack;
    uint256 public patchworks;
    uint256 public outside;
    uint256 public revived;

    uint256 public replaced;
    uint256 public proven;
    uint256 public refusedAsRevoked;

    constructor() {
        _load();
        STORE = _deployStore();
        VERIFIER = new DcapVerifier(STORE);
        _now = _at;
        for (uint256 i = 0; i < _docs.length; ++i) {
            if (_docs[i].genuine) _isGenuine[_docs[i].id] = true;
        }
        _revoking = _named("list of the CA, which revokes the machine").id;
        _bringChain(STORE);
    }

    /* ACTIONS */

    /// @dev The low half of a number chooses, the high half says whether a bit is changed.
    function bring(uint256[4] calldata which, uint256 bit) external {
        vm.warp(_now);
        for (uint256 i = 0; i < 4; ++i) {
            Doc memory doc = _docs[uint128(which[i]) % _docs.length];
            bool changed = (which[i] >> 128) % 4 == 0;
            if (changed && doc.signature.length != 0 && bit & 1 == 0) {
                doc.signature = _flipped(doc.signature, bit >> 1);
            } else if (changed) {
                doc.data = _flipped(doc.data, bit >> 1);
            }
            (bool taken,) = address(STORE).call(_callOf(doc));
            if (taken && (changed || !doc.genuine)) ++forgeries;
            _observe();
        }
    }

    function assemble() external {
        vm.warp(_now);
        (bool done,) = address(STORE).call(abi.encodeCall(STORE.assemble, (TDX, _fmspc, PLATFORM)));
        done; // whether the parts are there does not matter
        _observe();
    }

    function prove(uint256 which, uint256 bit) external {
        vm.warp(_now);
        uint256 number = uint128(which) % _quotes.length;
        Evidence memory quote = _quotes[number];
        bool changed = (which >> 128) % 4 == 0;
        if (changed) {
            uint256 bits = 8 * (quote.signedLength + SIGNATURE_LENGTH);
            quote.data = _flipped(quote.data, bit % bits);
        }
        (bool taken, bytes memory answer) =
            address(VERIFIER).call(abi.encodeCall(IDcapVerifier.prove, (quote.data)));
        if (taken) {
            if (changed || number == OTHER) ++forgeries;
            if (_ids[3] == _revoking) ++revived;
            Verdict memory verdict = abi.decode(answer, (Verdict));
            if (_now < verdict.validFrom || _now > verdict.validUntil) ++outside;
            ++proven;
        }
        _observe();
        _useKept();
    }

    /// @dev By up to six hours: some documents begin, all end within the month.
    function wait(uint256 by) external {
        _now += by % 6 hours;
        vm.warp(_now);
        _useKept();
    }

    /* OBSERVATIONS */

    /// @dev What is in force: of whom it is, and that it is no older than what was.
    function _observe() private {
        bytes memory info = STORE.tcbInfo(TDX, _fmspc);
        bytes memory identity = STORE.qeIdentity(TDX);
        if (info.length != 0) {
            _keeps(0, bytes32(_number(info, 23, 32)));
            _forward(0, _number(info, 0, 5));
            _forward(1, _number(info, 10, 4));
        }
        if (identity.length != 0) {
            _keeps(1, bytes32(_number(identity, 23, 32)));
            _forward(2, _number(identity, 0, 5));
            _forward(3, _number(identity, 10, 4));
        }
        for (uint256 i = 0; i < 2; ++i) {
            bytes memory list = STORE.revocationList(i);
            _keeps(2 + i, bytes32(_number(list, 10, 32)));
            _forward(4 + i, _number(list, 0, 5));
        }
        bytes memory authority = STORE.authorityRecord(PLATFORM);
        if (!_isGenuine[bytes32(_number(authority, 94, 32))]) ++strangers;
        _forward(6, _number(authority, 64, 5));
        bytes memory key = VERIFIER.attestationKeyOf(_quotes[NEW].keyId);
        if (key.length != 0) _forward(7, _number(key, 273, 2));
        if (VERIFIER.attestationKeyOf(_quotes[OTHER].keyId).length != 0) ++strangers;
        _compare();
    }

    /// @dev Collateral says of itself what it was put together from: the parts in force.
    function _compare() private {
        try STORE.collateralHashes(TDX, bytes6(uint48(_fmspc)), PLATFORM) returns (
            bytes32[6] memory hashes
        ) {
            for (uint256 i = 0; i < 4; ++i) {
                if (hashes[i] != _ids[i]) ++patchworks;
            }
        } catch {}
    }

    /// @dev A kept link is worth nothing under a list that revokes it, nor outside its windows.
    function _useKept() private {
        Evidence memory quote = _quotes[NEW];
        try VERIFIER.verifyCompact(_compact(quote), quote.keyId) returns (Verdict memory verdict) {
            if (_ids[3] == _revoking) ++revived;
            if (_now < verdict.validFrom || _now > verdict.validUntil) ++outside;
        } catch (bytes memory reason) {
            if (_number(reason, 4, 32) == uint256(bytes32("CERT_REVOKED"))) ++refusedAsRevoked;
        }
    }

    function _keeps(uint256 place, bytes32 id) private {
        if (!_isGenuine[id]) ++strangers;
        if (_ids[place] == id) return;
        if (_ids[place] != 0) ++replaced;
        _ids[place] = id;
    }

    function _forward(uint256 what, uint256 value) private {
        if (value < _highest[what]) ++stepsBack;
        _highest[what] = value;
    }

    function _callOf(Doc memory doc) private view returns (bytes memory) {
        if (doc.kind == CERTIFICATE) return abi.encodeCall(STORE.addCertificate, (doc.data));
        if (doc.kind == LIST) return abi.encodeCall(STORE.putRevocationList, (doc.data));
        bytes4 selector =
            doc.kind == TCB_INFO ? STORE.putTcbInfo.selector : STORE.putQeIdentity.selector;
        return abi.encodeWithSelector(selector, doc.data, doc.signature, doc.signer);
    }
}

/// @notice What DcapInvariants.tree lists.
contract DcapInvariantsTest is Base {
    DcapHandler private _handler;

    function setUp() public {
        _handler = new DcapHandler();
    }

    /// @dev Forge calls these alone, and from anyone.
    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    /// forge-config: default.invariant.runs = 16
    /// forge-config: default.invariant.depth = 48
    function invariant_NothingUnverifiedIsKept_NothingGoesBack() public view {
        _requireSound();
    }

    /// @dev A handler that reaches nothing would prove nothing.
    function test_Handler_ReachesWhatIsForbidden() public {
        for (uint256 i = 0; i < 9; ++i) {
            uint256[4] memory which;
            for (uint256 j = 0; j < 4; ++j) {
                which[j] = 1 << 128 | (4 * i + j);
            }
            _handler.bring(which, 0);
        }
        vm.assertGt(_handler.replaced(), 4);
        _handler.assemble();
        _handler.prove(1 << 128, 0); // its chain has the CA's earlier certificate
        vm.assertEq(_handler.proven(), 0);
        _handler.prove(1 << 128 | 3, 0);
        vm.assertEq(_handler.proven(), 1);
        for (uint256 i = 0; i < 10; ++i) {
            _handler.wait(6 hours - 1);
        }
        vm.assertEq(_handler.refusedAsRevoked(), 0);
        uint256 revoking = 1 << 128 | 10;
        _handler.bring([revoking, revoking, revoking, revoking], 0);
        _handler.wait(0);
        vm.assertEq(_handler.refusedAsRevoked(), 1);
        _requireSound();
    }

    function _requireSound() private view {
        vm.assertEq(_handler.forgeries(), 0, "forgeries");
        vm.assertEq(_handler.strangers(), 0, "strangers");
        vm.assertEq(_handler.stepsBack(), 0, "steps back");
        vm.assertEq(_handler.patchworks(), 0, "patchworks");
        vm.assertEq(_handler.outside(), 0, "outside their windows");
        vm.assertEq(_handler.revived(), 0, "revived");
    }
}
