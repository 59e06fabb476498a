// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {CommitteeVerifier} from "../src/committee/CommitteeVerifier.sol";
import {ICommitteeVerifier} from "../src/interfaces/ICommitteeVerifier.sol";
import {IQuoteVerifier} from "../src/interfaces/IQuoteVerifier.sol";
import {ProofKind} from "../src/types/ProofKind.sol";
import {Verdict} from "../src/types/Verdict.sol";
import {Deployment} from "./Deployment.t.sol";

contract CommitteeVerifierTest is Deployment {
    /// @dev Order of secp256k1, for the twin of a signature.
    uint256 private constant N = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;

    /* CONSTRUCTOR */

    function test_Constructor_RevertWhen_TheThresholdIsOutOfRange() public {
        _expectInvalid(3, 0);
        new CommitteeVerifier(_members(), 0, MAX_AGE);
        _expectInvalid(3, 4);
        new CommitteeVerifier(_members(), 4, MAX_AGE);
        _expectInvalid(0, 0);
        new CommitteeVerifier(new address[](0), 0, MAX_AGE);
    }

    function test_Constructor_RevertWhen_ThereAreMoreThan32Members() public {
        _formCommittee(33);
        _expectInvalid(33, 2);
        new CommitteeVerifier(_members(), 2, MAX_AGE);
        _formCommittee(32);
        new CommitteeVerifier(_members(), 32, MAX_AGE);
    }

    function test_Constructor_RevertWhen_MembersAreNotAscending() public {
        address[] memory members = _members();
        (members[0], members[1]) = (members[1], members[0]);
        _expectInvalid(3, 2);
        new CommitteeVerifier(members, 2, MAX_AGE);
        members[0] = members[1];
        _expectInvalid(3, 2);
        new CommitteeVerifier(members, 2, MAX_AGE);
        members = _members();
        members[0] = address(0);
        _expectInvalid(3, 2);
        new CommitteeVerifier(members, 2, MAX_AGE);
    }

    /* VERIFY */

    function test_Verify_ReturnsTheVerdict() public view {
        bytes memory journal = abi.encode(_verdict());
        for (uint256 count = 2; count <= 3; ++count) {
            Verdict memory verdict =
                committee.verify(journal, abi.encode(_signatures(journal, count)));
            vm.assertEq(abi.encode(verdict), journal);
        }
        vm.assertTrue(committee.kind() == ProofKind.Committee);
    }

    /// @dev Whatever a digest stands for, it takes what a journal takes: members, enough, in order.
    function testFuzz_RequireQuorum_CountsAsForJournals(bytes32 digest, uint256 count) public view {
        count = count % 4;
        bytes[] memory signatures = new bytes[](count);
        for (uint256 i = 0; i < count; ++i) {
            signatures[i] = _sign(committeeKeys[i], digest);
        }
        bytes memory proof = abi.encode(signatures);
        (bool ok, bytes memory answer) = _quorum(digest, proof);
        vm.assertEq(ok, count >= 2);
        if (!ok) vm.assertEq(bytes4(answer), ICommitteeVerifier.QuorumNotReached.selector);
        // Nothing that was signed for one digest counts for another.
        (ok,) = _quorum(keccak256(abi.encode(digest)), proof);
        vm.assertFalse(ok);
        (ok,) = _quorum(digest, bytes.concat(proof, hex"00"));
        vm.assertFalse(ok);
    }

    function test_Verify_RevertWhen_TooFewSigned() public {
        bytes memory journal = abi.encode(_verdict());
        for (uint256 count = 0; count < 2; ++count) {
            bytes memory proof = abi.encode(_signatures(journal, count));
            vm.expectRevert(
                abi.encodeWithSelector(ICommitteeVerifier.QuorumNotReached.selector, count, 2)
            );
            committee.verify(journal, proof);
        }
    }

    function test_Verify_RevertWhen_SignersRepeatOrAreOutOfOrder() public {
        bytes memory journal = abi.encode(_verdict());
        bytes[] memory signatures = _signatures(journal, 2);
        (signatures[0], signatures[1]) = (signatures[1], signatures[0]);
        address[] memory members = _members();
        _expectNotAscending(members[1], members[0]);
        committee.verify(journal, abi.encode(signatures));
        signatures[1] = signatures[0];
        _expectNotAscending(members[1], members[1]);
        committee.verify(journal, abi.encode(signatures));
    }

    function testFuzz_Verify_RevertWhen_AnotherJournalWasSigned(bytes32 quoteHash) public view {
        Verdict memory verdict = _verdict();
        vm.assume(quoteHash != verdict.quoteHash);
        bytes memory proof = _proof(abi.encode(verdict));
        verdict.quoteHash = quoteHash;
        bytes memory journal = abi.encode(verdict);
        (bool ok, bytes memory answer) =
            address(committee).staticcall(abi.encodeCall(IQuoteVerifier.verify, (journal, proof)));
        vm.assertFalse(ok);
        // What is recovered is some other address: no member, or not even in order.
        bytes4 reason = bytes4(answer);
        vm.assertTrue(
            reason == ICommitteeVerifier.NotAMember.selector
                || reason == ICommitteeVerifier.SignersNotAscending.selector
        );
    }

    function test_Verify_RevertWhen_AnotherVerifierOrChainWasMeant() public {
        bytes memory journal = abi.encode(_verdict());
        bytes memory proof = _proof(journal);
        CommitteeVerifier other = new CommitteeVerifier(_members(), 2, MAX_AGE);
        vm.expectPartialRevert(ICommitteeVerifier.NotAMember.selector);
        other.verify(journal, proof);
        vm.chainId(1);
        vm.expectPartialRevert(ICommitteeVerifier.NotAMember.selector);
        committee.verify(journal, proof);
    }

    function test_Verify_RevertWhen_AStrangerSignedToo() public {
        bytes memory journal = abi.encode(_verdict());
        bytes[] memory signatures = _signatures(journal, 3);
        uint256 stranger = 1;
        while (vm.addr(stranger) < vm.addr(committeeKeys[2])) ++stranger;
        bytes[] memory more = new bytes[](4);
        (more[0], more[1], more[2]) = (signatures[0], signatures[1], signatures[2]);
        more[3] = _sign(stranger, committee.attestationDigest(sha256(journal)));
        vm.expectRevert(
            abi.encodeWithSelector(ICommitteeVerifier.NotAMember.selector, 3, vm.addr(stranger))
        );
        committee.verify(journal, abi.encode(more));
    }

    function test_Verify_RevertWhen_ASignatureIsNotInItsOneEncoding() public {
        bytes memory journal = abi.encode(_verdict());
        bytes32 digest = committee.attestationDigest(sha256(journal));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(committeeKeys[1], digest);
        bytes[] memory signatures = _signatures(journal, 2);
        bytes memory refusal =
            abi.encodeWithSelector(ICommitteeVerifier.CommitteeSignatureInvalid.selector, 1);

        signatures[1] =
            abi.encodePacked(r, bytes32(N - uint256(s)), v == 27 ? bytes1(0x1c) : bytes1(0x1b));
        vm.expectRevert(refusal);
        committee.verify(journal, abi.encode(signatures));

        signatures[1] = abi.encodePacked(r, s, v - 27);
        vm.expectRevert(refusal);
        committee.verify(journal, abi.encode(signatures));

        signatures[1] = abi.encodePacked(r, s);
        vm.expectPartialRevert(IQuoteVerifier.ProofMalformed.selector);
        committee.verify(journal, abi.encode(signatures));
    }

    function testFuzz_Verify_RevertWhen_TheProofIsAnyOtherBytes(bytes calldata junk) public {
        bytes memory journal = abi.encode(_verdict());
        vm.expectRevert(abi.encodeWithSelector(IQuoteVerifier.ProofMalformed.selector, junk.length));
        committee.verify(journal, junk);
    }

    function test_Verify_RevertWhen_TheVerdictIsStale() public {
        Verdict memory verdict = _verdict();
        bytes memory journal = abi.encode(verdict);
        bytes memory proof = _proof(journal);
        vm.warp(verdict.verifiedAt + MAX_AGE);
        committee.verify(journal, proof);
        vm.warp(verdict.verifiedAt + MAX_AGE + 1);
        vm.expectPartialRevert(IQuoteVerifier.VerdictStale.selector);
        committee.verify(journal, proof);
    }

    function test_SupportsInterface_NamesItsInterfaces() public view {
        vm.assertTrue(committee.supportsInterface(type(ICommitteeVerifier).interfaceId));
        vm.assertTrue(committee.supportsInterface(type(IQuoteVerifier).interfaceId));
        vm.assertFalse(committee.supportsInterface(0xffffffff));
    }

    /* PARTS */

    function _expectInvalid(uint256 members, uint256 threshold) private {
        vm.expectRevert(
            abi.encodeWithSelector(ICommitteeVerifier.CommitteeInvalid.selector, members, threshold)
        );
    }

    function _expectNotAscending(address previous, address signer) private {
        vm.expectRevert(
            abi.encodeWithSelector(
                ICommitteeVerifier.SignersNotAscending.selector, previous, signer
            )
        );
    }

    function _quorum(bytes32 digest, bytes memory proof) private view returns (bool, bytes memory) {
        return address(committee)
            .staticcall(abi.encodeCall(ICommitteeVerifier.requireQuorum, (digest, proof)));
    }
}
