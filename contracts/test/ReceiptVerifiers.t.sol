// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IQuoteVerifier} from "../src/interfaces/IQuoteVerifier.sol";
import {ICollateralHashes} from "../src/interfaces/ICollateralHashes.sol";
import {IReceiptVerifier} from "../src/interfaces/IReceiptVerifier.sol";
import {IZkQuoteVerifier} from "../src/interfaces/IZkQuoteVerifier.sol";
import {ProofKind} from "../src/types/ProofKind.sol";
import {Verdict} from "../src/types/Verdict.sol";
import {IRiscZeroVerifier, Receipt} from "../src/zk/IRiscZeroVerifier.sol";
import {ReceiptClaim} from "../src/zk/ReceiptClaim.sol";
import {RiscZeroStubVerifier} from "../src/zk/RiscZeroStubVerifier.sol";
import {StubQuoteVerifier} from "../src/zk/StubQuoteVerifier.sol";
import {ZkQuoteVerifier} from "../src/zk/ZkQuoteVerifier.sol";
import {Deployment} from "./Deployment.t.sol";

/// @notice A receipt verifier that knows one receipt, seal and all.
contract OneReceiptVerifier is IRiscZeroVerifier {
    bytes32 private immutable KNOWN;

    constructor(bytes memory seal, bytes32 imageId, bytes32 journalDigest) {
        KNOWN = keccak256(abi.encode(seal, imageId, journalDigest));
    }

    function verify(bytes calldata seal, bytes32 imageId, bytes32 journalDigest) external view {
        require(keccak256(abi.encode(seal, imageId, journalDigest)) == KNOWN, VerificationFailed());
    }

    function verifyIntegrity(Receipt calldata) external pure {
        revert VerificationFailed();
    }
}

/// @notice Knows the collateral of one family under one authority.
contract OneCollateral is ICollateralHashes {
    error NotKept();

    uint256 private immutable AUTHORITY;
    bytes32[6] internal _hashes;

    constructor(uint256 authority, bytes32[6] memory hashes) {
        AUTHORITY = authority;
        _hashes = hashes;
    }

    function collateralHashes(uint256 teeType, bytes6 fmspc, uint256 authority)
        external
        view
        virtual
        returns (bytes32[6] memory)
    {
        require(teeType == 2 && fmspc == 0x50806f000000 && authority == AUTHORITY, NotKept());
        return _hashes;
    }
}

/// @notice Has the same collateral under both authorities.
contract BothAuthorities is OneCollateral {
    constructor(bytes32[6] memory hashes) OneCollateral(1, hashes) {}

    function collateralHashes(uint256, bytes6, uint256)
        external
        view
        override
        returns (bytes32[6] memory)
    {
        return _hashes;
    }
}

contract ReceiptVerifiersTest is Deployment {
    bytes32 private constant IMAGE = keccak256("guest");

    RiscZeroStubVerifier private mock;
    StubQuoteVerifier private stub;
    ZkQuoteVerifier private zk;
    bytes private journal;
    bytes private genuineSeal;

    function setUp() public override {
        super.setUp();
        journal = abi.encode(_verdict());
        genuineSeal = bytes.concat(hex"73c457ba", new bytes(256));
        mock = new RiscZeroStubVerifier();
        stub = new StubQuoteVerifier(mock, IMAGE, MAX_AGE);
        zk = _zk(_verdict(), 1, _verdict().collateralHashes);
    }

    /* MOCK RECEIPTS */

    function testFuzz_Mock_AcceptsExactlyItsSeal(bytes32 image, bytes32 digest) public view {
        bytes32 claim = ReceiptClaim.digestOf(image, digest);
        mock.verify(abi.encodePacked(bytes4(0xffffffff), claim), image, digest);
        mock.verifyIntegrity(Receipt(abi.encodePacked(bytes4(0xffffffff), claim), claim));
    }

    function testFuzz_Mock_RevertWhen_TheSealIsAnother(bytes calldata seal, bytes32 digest) public {
        vm.assume(
            keccak256(seal)
                != keccak256(
                    abi.encodePacked(bytes4(0xffffffff), ReceiptClaim.digestOf(IMAGE, digest))
                )
        );
        vm.expectRevert(IRiscZeroVerifier.VerificationFailed.selector);
        mock.verify(seal, IMAGE, digest);
    }

    /* ZK */

    function test_Zk_AsksForItsImageAndTheJournal() public view {
        Verdict memory verdict = zk.verify(journal, genuineSeal);
        vm.assertEq(abi.encode(verdict), journal);
        vm.assertTrue(zk.kind() == ProofKind.Zk);
    }

    function test_Zk_RevertWhen_TheReceiptVerifierRefuses() public {
        Verdict memory verdict = _verdict();
        verdict.platformId = 0;
        vm.expectRevert(IRiscZeroVerifier.VerificationFailed.selector);
        zk.verify(abi.encode(verdict), genuineSeal);
    }

    function test_Zk_RevertWhen_TheSealIsAMock() public {
        zk = new ZkQuoteVerifier(mock, IMAGE, MAX_AGE, zk.COLLATERAL());
        bytes memory seal = _mockSeal();
        mock.verify(seal, IMAGE, sha256(journal));
        _expectRefused(0xffffffff);
        zk.verify(journal, seal);
    }

    function testFuzz_Zk_RevertWhen_TheSealHasNoSelector(uint8 length) public {
        length = length % 4;
        vm.expectRevert(abi.encodeWithSelector(IQuoteVerifier.ProofMalformed.selector, length));
        zk.verify(journal, new bytes(length));
    }

    function test_Zk_TakesCollateralOfEitherAuthority() public {
        Verdict memory verdict = _verdict();
        verdict.collateralHashes = _hashes("processor");
        zk = _zk(verdict, 2, verdict.collateralHashes);
        vm.assertEq(abi.encode(zk.verify(abi.encode(verdict), genuineSeal)), abi.encode(verdict));
    }

    function testFuzz_Zk_RevertWhen_AnyCollateralIsAnother(uint256 index, bytes32 hash) public {
        index = index % 6;
        Verdict memory verdict = _verdict();
        verdict.collateralHashes = _hashes("in force");
        bytes32 inForce = verdict.collateralHashes[index];
        vm.assume(hash != inForce);
        // Both authorities answer: whichever is asked last, the difference is named.
        OneCollateral both = new BothAuthorities(verdict.collateralHashes);
        verdict.collateralHashes[index] = hash;
        zk = new ZkQuoteVerifier(
            new OneReceiptVerifier(genuineSeal, IMAGE, sha256(abi.encode(verdict))),
            IMAGE,
            MAX_AGE,
            both
        );
        vm.expectRevert(
            abi.encodeWithSelector(
                IZkQuoteVerifier.CollateralNotInForce.selector, index, hash, inForce
            )
        );
        zk.verify(abi.encode(verdict), genuineSeal);
    }

    function test_Zk_RevertWhen_NoCollateralIsKept() public {
        Verdict memory verdict = _verdict();
        verdict.fmspc = 0x00606a000000;
        zk = _zk(verdict, 1, verdict.collateralHashes);
        vm.expectRevert(OneCollateral.NotKept.selector);
        zk.verify(abi.encode(verdict), genuineSeal);
    }

    function test_Zk_RevertWhen_TheVerdictIsTooOld() public {
        Verdict memory verdict = _verdict();
        vm.warp(verdict.verifiedAt + MAX_AGE);
        zk.verify(journal, genuineSeal);
        vm.warp(verdict.verifiedAt + MAX_AGE + 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                IQuoteVerifier.VerdictStale.selector, verdict.verifiedAt, block.timestamp, MAX_AGE
            )
        );
        zk.verify(journal, genuineSeal);
    }

    /* STUB */

    function test_Stub_AcceptsTheMockSeal() public view {
        Verdict memory verdict = stub.verify(journal, _mockSeal());
        vm.assertEq(abi.encode(verdict), journal);
        vm.assertTrue(stub.kind() == ProofKind.Stub);
    }

    function testFuzz_Stub_RevertWhen_TheSelectorIsAnother(bytes4 selector) public {
        vm.assume(selector != 0xffffffff);
        _expectRefused(selector);
        stub.verify(journal, abi.encodePacked(selector, bytes32(0)));
    }

    function test_Stub_RevertWhen_TheImageIsAnother() public {
        stub = new StubQuoteVerifier(mock, keccak256("other guest"), MAX_AGE);
        bytes memory seal = _mockSeal();
        vm.expectRevert(IRiscZeroVerifier.VerificationFailed.selector);
        stub.verify(journal, seal);
    }

    /* CONSTRUCTORS */

    function test_Constructor_RevertWhen_SomethingIsMissing() public {
        ICollateralHashes known = zk.COLLATERAL();
        vm.expectRevert(
            abi.encodeWithSelector(IReceiptVerifier.ReceiptVerifierMissing.selector, STRANGER)
        );
        new ZkQuoteVerifier(IRiscZeroVerifier(STRANGER), IMAGE, MAX_AGE, known);
        vm.expectRevert(IReceiptVerifier.ImageIdMissing.selector);
        new ZkQuoteVerifier(mock, 0, MAX_AGE, known);
        vm.expectRevert(
            abi.encodeWithSelector(IZkQuoteVerifier.CollateralHashesMissing.selector, STRANGER)
        );
        new ZkQuoteVerifier(mock, IMAGE, MAX_AGE, ICollateralHashes(STRANGER));
    }

    /* PARTS */

    /// @dev A verifier whose prover proved `verdict`, on a chain that has `inForce`.
    function _zk(Verdict memory verdict, uint256 authority, bytes32[6] memory inForce)
        private
        returns (ZkQuoteVerifier)
    {
        return new ZkQuoteVerifier(
            new OneReceiptVerifier(genuineSeal, IMAGE, sha256(abi.encode(verdict))),
            IMAGE,
            MAX_AGE,
            new OneCollateral(authority, inForce)
        );
    }

    function _hashes(bytes memory seed) private pure returns (bytes32[6] memory hashes) {
        for (uint256 i = 0; i < 6; ++i) {
            hashes[i] = keccak256(abi.encodePacked(seed, i));
        }
    }

    function _mockSeal() private view returns (bytes memory) {
        return abi.encodePacked(bytes4(0xffffffff), ReceiptClaim.digestOf(IMAGE, sha256(journal)));
    }

    function _expectRefused(bytes4 selector) private {
        vm.expectRevert(
            abi.encodeWithSelector(IReceiptVerifier.SealSelectorRefused.selector, selector)
        );
    }
}
