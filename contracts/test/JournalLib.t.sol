// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IQuoteVerifier} from "../src/interfaces/IQuoteVerifier.sol";
import {Verdict, VerdictLib} from "../src/types/Verdict.sol";
import {JournalLib} from "../src/verify/JournalLib.sol";
import {Deployment} from "./Deployment.t.sol";

/// @notice Gives the library a call frame of its own, so that its reverts can be seen.
contract JournalReader {
    function decode(bytes calldata journal) external pure returns (Verdict memory) {
        return JournalLib.read(journal);
    }

    function requireCurrent(
        Verdict calldata verdict,
        uint256 blockTime,
        uint64 maxAge,
        uint64 tolerance
    ) external pure {
        JournalLib.requireCurrent(verdict, blockTime, maxAge, tolerance);
    }
}

contract JournalLibTest is Deployment {
    string private constant VECTORS = "../tests/vectors/journal.json";

    JournalReader private reader;

    function setUp() public override {
        super.setUp();
        reader = new JournalReader();
    }

    /* GOLDEN VECTORS */

    function test_Decode_GivenGoldenJournals_ReadsEveryField() public view {
        string memory json = vm.readFile(VECTORS);
        uint256 count = 0;
        for (string memory at = _case(0); vm.keyExistsJson(json, at); at = _case(++count)) {
            bytes memory journal = vm.parseJsonBytes(json, string.concat(at, ".journal"));
            Verdict memory verdict = reader.decode(journal);
            vm.assertEq(abi.encode(_fields(json, string.concat(at, ".fields."))), journal);
            vm.assertEq(VerdictLib.encode(verdict), journal);
            vm.assertEq(
                VerdictLib.digest(journal),
                vm.parseJsonBytes32(json, string.concat(at, ".journalDigest"))
            );
        }
        vm.assertGt(count, 5);
    }

    function testFuzz_Decode_RevertWhen_CutShort(uint256 length) public {
        bytes memory journal = _golden(1);
        length = length % journal.length;
        _expectMalformed(length);
        reader.decode(_cut(journal, length));
    }

    function testFuzz_Decode_RevertWhen_Longer(bytes calldata tail) public {
        vm.assume(tail.length != 0);
        bytes memory journal = bytes.concat(_golden(1), tail);
        _expectMalformed(journal.length);
        reader.decode(journal);
    }

    function testFuzz_Decode_WhenAByteIsChanged_OnlyNamedErrorsEscape(uint256 place, bytes1 change)
        public
        view
    {
        vm.assume(change != 0);
        bytes memory journal = _golden(1);
        place = place % journal.length;
        journal[place] ^= change;
        (bool ok, bytes memory answer) =
            address(reader).staticcall(abi.encodeCall(JournalReader.decode, (journal)));
        if (ok) vm.assertEq(abi.encode(abi.decode(answer, (Verdict))), journal);
        else vm.assertTrue(_isNamed(bytes4(answer)), "an error without a name");
    }

    function testFuzz_Decode_OfAnyBytes_OnlyNamedErrorsEscape(bytes calldata junk) public {
        _expectMalformed(junk.length);
        reader.decode(junk);
    }

    /* SHAPE */

    function test_Decode_RevertWhen_PaddingIsNotZero() public {
        Verdict memory verdict = _verdict();
        verdict.teeType = 1;
        verdict.measurement = new bytes(304); // ends in the middle of a word
        bytes memory journal = _consistent(verdict);
        // The measurement's data starts after head, one advisory and its own length.
        journal[32 + 24 * 32 + 64 + 32 + 304] = 0x01;
        _expectMalformed(journal.length);
        reader.decode(journal);
    }

    function testFuzz_Decode_RevertWhen_AnOffsetIsNotCanonical(uint256 field, uint256 value)
        public
    {
        bytes memory journal = abi.encode(_verdict());
        uint256[4] memory places = [uint256(0), 32 + 21 * 32, 32 + 22 * 32, 32 + 23 * 32];
        uint256 place = places[field % 4];
        vm.assume(_wordAt(journal, place) != value);
        _setWord(journal, place, value);
        _expectMalformed(journal.length);
        reader.decode(journal);
    }

    function testFuzz_Decode_RevertWhen_ANumberIsTooWide(uint256 field, uint256 excess) public {
        uint8[8] memory widths = [16, 8, 8, 64, 64, 64, 64, 32];
        field = field % 8;
        excess = _bound(excess, uint256(1) << widths[field], type(uint256).max);
        bytes memory journal = abi.encode(_verdict());
        _setWord(journal, 32 + field * 32, excess);
        _expectMalformed(journal.length);
        reader.decode(journal);
    }

    function test_Decode_RevertWhen_FmspcIsWiderThanSixBytes() public {
        bytes memory journal = abi.encode(_verdict());
        journal[32 + 8 * 32 + 6] = 0x01;
        _expectMalformed(journal.length);
        reader.decode(journal);
    }

    /* CONTENT */

    function test_Decode_RevertWhen_TheVersionIsUnknown() public {
        Verdict memory verdict = _verdict();
        verdict.version = 2;
        vm.expectRevert(
            abi.encodeWithSelector(IQuoteVerifier.JournalVersionUnsupported.selector, 2, 1)
        );
        reader.decode(abi.encode(verdict));
    }

    function testFuzz_Decode_RevertWhen_TheStatusIsNone(uint8 status) public {
        vm.assume(status == 0 || status > 8);
        Verdict memory verdict = _verdict();
        verdict.tcbStatus = status;
        vm.expectRevert(abi.encodeWithSelector(IQuoteVerifier.TcbStatusInvalid.selector, status));
        reader.decode(abi.encode(verdict));
    }

    function testFuzz_Decode_RevertWhen_TheTeeTypeIsUnknown(uint8 teeType) public {
        vm.assume(teeType != 1 && teeType != 2);
        Verdict memory verdict = _verdict();
        verdict.teeType = teeType;
        vm.expectRevert(abi.encodeWithSelector(IQuoteVerifier.TeeTypeUnsupported.selector, teeType));
        reader.decode(abi.encode(verdict));
    }

    function testFuzz_Decode_RevertWhen_TheMeasurementHasAnotherLength(uint256 length) public {
        length = _bound(length, 0, 4096);
        vm.assume(length != 448);
        Verdict memory verdict = _verdict();
        verdict.measurement = new bytes(length);
        vm.expectRevert(
            abi.encodeWithSelector(IQuoteVerifier.MeasurementLengthWrong.selector, 2, length, 448)
        );
        reader.decode(abi.encode(verdict));
    }

    function testFuzz_Decode_RevertWhen_TheReportDataHasAnotherLength(uint256 length) public {
        length = _bound(length, 0, 4096);
        vm.assume(length != 64);
        Verdict memory verdict = _verdict();
        verdict.reportData = new bytes(length);
        vm.expectRevert(
            abi.encodeWithSelector(IQuoteVerifier.ReportDataLengthWrong.selector, length, 64)
        );
        reader.decode(abi.encode(verdict));
    }

    function test_Decode_RevertWhen_AHashIsNotTheHashOfItsField() public {
        Verdict memory verdict = _verdict();
        bytes32 expected = verdict.measurementId;
        verdict.measurementId = 0;
        vm.expectRevert(
            abi.encodeWithSelector(IQuoteVerifier.MeasurementIdMismatch.selector, 0, expected)
        );
        reader.decode(abi.encode(verdict));

        verdict = _verdict();
        expected = verdict.advisoriesHash;
        verdict.advisoriesHash = 0;
        vm.expectRevert(
            abi.encodeWithSelector(IQuoteVerifier.AdvisoriesHashMismatch.selector, 0, expected)
        );
        reader.decode(abi.encode(verdict));
    }

    function test_Decode_RevertWhen_ThereAreTooManyAdvisories() public {
        Verdict memory verdict = _verdict();
        verdict.advisories = new bytes32[](256);
        verdict.advisoriesHash = keccak256(abi.encodePacked(verdict.advisories));
        reader.decode(abi.encode(verdict));
        verdict.advisories = new bytes32[](257);
        verdict.advisoriesHash = keccak256(abi.encodePacked(verdict.advisories));
        bytes memory journal = abi.encode(verdict);
        _expectMalformed(journal.length);
        reader.decode(journal);
    }

    /* CLOCK */

    function testFuzz_RequireCurrent_AcceptsBothEnds(uint64 blockTime, uint32 age, uint8 skew)
        public
        view
    {
        vm.assume(blockTime > age);
        vm.assume(uint256(blockTime) + skew <= type(uint64).max);
        Verdict memory verdict;
        verdict.validFrom = blockTime;
        verdict.validUntil = blockTime;
        verdict.verifiedAt = blockTime - age;
        reader.requireCurrent(verdict, blockTime, age, skew);
        verdict.verifiedAt = blockTime + skew;
        reader.requireCurrent(verdict, blockTime, age, skew);
    }

    function test_RequireCurrent_RevertWhen_OneSecondOutside() public {
        Verdict memory verdict;
        (verdict.validFrom, verdict.validUntil, verdict.verifiedAt) = (1000, 1000, 1061);
        vm.expectRevert(
            abi.encodeWithSelector(IQuoteVerifier.VerdictFromFuture.selector, 1061, 1000)
        );
        reader.requireCurrent(verdict, 1000, 100, 60);
        verdict.verifiedAt = 899;
        vm.expectRevert(
            abi.encodeWithSelector(IQuoteVerifier.VerdictStale.selector, 899, 1000, 100)
        );
        reader.requireCurrent(verdict, 1000, 100, 60);
        (verdict.validFrom, verdict.verifiedAt) = (1001, 1000);
        vm.expectRevert(
            abi.encodeWithSelector(IQuoteVerifier.VerdictNotYetValid.selector, 1001, 1000)
        );
        reader.requireCurrent(verdict, 1000, 100, 60);
        (verdict.validFrom, verdict.validUntil) = (999, 999);
        vm.expectRevert(abi.encodeWithSelector(IQuoteVerifier.VerdictExpired.selector, 999, 1000));
        reader.requireCurrent(verdict, 1000, 100, 60);
    }

    /* PARTS */

    function _case(uint256 index) private pure returns (string memory) {
        return string.concat(".cases[", vm.toString(index), "]");
    }

    function _golden(uint256 index) private view returns (bytes memory) {
        return vm.parseJsonBytes(vm.readFile(VECTORS), string.concat(_case(index), ".journal"));
    }

    function _fields(string memory json, string memory at)
        private
        pure
        returns (Verdict memory verdict)
    {
        verdict.version = uint16(_uint(json, at, "version"));
        verdict.teeType = uint8(_uint(json, at, "teeType"));
        verdict.tcbStatus = uint8(_uint(json, at, "tcbStatus"));
        verdict.verifiedAt = uint64(_uint(json, at, "verifiedAt"));
        verdict.validFrom = uint64(_uint(json, at, "validFrom"));
        verdict.validUntil = uint64(_uint(json, at, "validUntil"));
        verdict.tcbDate = uint64(_uint(json, at, "tcbDate"));
        verdict.tcbEvaluationDataNumber = uint32(_uint(json, at, "tcbEvaluationDataNumber"));
        verdict.fmspc = bytes6(vm.parseJsonBytes(json, string.concat(at, "fmspc")));
        verdict.quoteHash = _bytes32(json, at, "quoteHash");
        verdict.measurementId = _bytes32(json, at, "measurementId");
        verdict.platformId = _bytes32(json, at, "platformId");
        verdict.attestationKeyId = _bytes32(json, at, "attestationKeyId");
        verdict.rootKeyHash = _bytes32(json, at, "rootKeyHash");
        bytes32[] memory hashes =
            vm.parseJsonBytes32Array(json, string.concat(at, "collateralHashes"));
        for (uint256 i = 0; i < 6; ++i) {
            verdict.collateralHashes[i] = hashes[i];
        }
        verdict.advisoriesHash = _bytes32(json, at, "advisoriesHash");
        verdict.advisories = vm.parseJsonBytes32Array(json, string.concat(at, "advisories"));
        verdict.measurement = vm.parseJsonBytes(json, string.concat(at, "measurement"));
        verdict.reportData = vm.parseJsonBytes(json, string.concat(at, "reportData"));
    }

    function _uint(string memory json, string memory at, string memory field)
        private
        pure
        returns (uint256)
    {
        return vm.parseJsonUint(json, string.concat(at, field));
    }

    function _bytes32(string memory json, string memory at, string memory field)
        private
        pure
        returns (bytes32)
    {
        return vm.parseJsonBytes32(json, string.concat(at, field));
    }

    /// @dev The journal of `verdict` with its measurement id made right.
    function _consistent(Verdict memory verdict) private pure returns (bytes memory) {
        verdict.measurementId = keccak256(abi.encodePacked(verdict.teeType, verdict.measurement));
        return abi.encode(verdict);
    }

    function _isNamed(bytes4 selector) private pure returns (bool) {
        return selector == IQuoteVerifier.JournalMalformed.selector
            || selector == IQuoteVerifier.JournalVersionUnsupported.selector
            || selector == IQuoteVerifier.TcbStatusInvalid.selector
            || selector == IQuoteVerifier.TeeTypeUnsupported.selector
            || selector == IQuoteVerifier.MeasurementLengthWrong.selector
            || selector == IQuoteVerifier.MeasurementIdMismatch.selector
            || selector == IQuoteVerifier.AdvisoriesHashMismatch.selector;
    }

    function _expectMalformed(uint256 length) private {
        vm.expectRevert(abi.encodeWithSelector(IQuoteVerifier.JournalMalformed.selector, length));
    }

    function _cut(bytes memory data, uint256 length) private pure returns (bytes memory shorter) {
        shorter = new bytes(length);
        for (uint256 i = 0; i < length; ++i) {
            shorter[i] = data[i];
        }
    }

    function _wordAt(bytes memory data, uint256 place) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := mload(add(add(data, 0x20), place))
        }
    }

    function _setWord(bytes memory data, uint256 place, uint256 word) private pure {
        assembly ("memory-safe") {
            mstore(add(add(data, 0x20), place), word)
        }
    }
}
