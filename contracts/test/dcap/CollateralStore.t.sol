// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {CollateralStore} from "../../src/dcap/CollateralStore.sol";
import {DocumentParser} from "../../src/dcap/DocumentParser.sol";
import {RevocationListParser} from "../../src/dcap/RevocationListParser.sol";
import {IEvidenceRefusal} from "../../src/interfaces/IEvidenceRefusal.sol";
import {DcapFixture} from "./DcapFixture.t.sol";

contract CollateralStoreTest is DcapFixture {
    CollateralStore private _store;
    DocumentParser private _documents;
    RevocationListParser private _lists;

    function setUp() public {
        _load();
        _store = _deployStore();
        (_documents, _lists) = (_store.DOCUMENT_PARSER(), _store.LIST_PARSER());
    }

    /* CONSTRUCTOR */

    function test_Constructor_RevertGiven_NothingVerifiesP256() public {
        vm.mockCall(address(5), "", abi.encode(0)); // modular exponentiation, which Solidity needs
        vm.expectRevert(IEvidenceRefusal.P256Unavailable.selector);
        new CollateralStore(_root, _documents, _lists);
    }

    function test_Constructor_GivenAStrangerAt0x100_VerifiesInSolidity() public {
        vm.etch(address(0x100), hex"60015f5260205ff3"); // 1, whatever is asked
        CollateralStore store = new CollateralStore(_root, _documents, _lists);
        vm.assertFalse(store.NATIVE_P256());
        _bringChain(store);
        Doc memory forged = _named("tcb_info signed by the CA");
        _expectRefusal("TCB_INFO_SIGNATURE_INVALID");
        _bring(store, forged);
    }

    /// forge-config: default.fuzz.runs = 64
    function testFuzz_Constructor_RevertWhen_TheRootIsChanged(uint256 bit) public {
        bytes memory root = _flipped(_root, bit);
        (bool deployed,) = address(this).call(abi.encodeCall(this.deploy, (root)));
        vm.assertFalse(deployed);
        this.deploy(_root);
    }

    function deploy(bytes calldata root) external {
        new CollateralStore(root, _documents, _lists);
    }

    function test_Constructor_NamesTheRoot() public view {
        vm.assertEq(_store.ROOT_CERTIFICATE(), keccak256(_root));
        vm.assertTrue(_store.ROOT_KEY_HASH() != 0);
    }

    /* CERTIFICATES */

    function test_AddCertificate_RevertGiven_NoRootList() public {
        Doc memory signer = _named("TCB signer");
        _expectRefusal("CRL_MISSING");
        _bring(_store, signer);
    }

    function test_AddCertificate_RevertWhen_AnotherKeySignedIt() public {
        _bring(_store, "root list");
        Doc memory forged = _named("Platform CA, by the TCB signer");
        _expectRefusal("CERT_SIGNATURE_INVALID");
        _bring(_store, forged);
        forged = _named("Platform CA, under another root");
        vm.expectPartialRevert(IEvidenceRefusal.EvidenceRefused.selector);
        _bring(_store, forged);
    }

    function test_AddCertificate_RevertWhen_ItIsPast() public {
        _bring(_store, "root list");
        Doc memory past = _named("TCB signer, expired");
        _expectRefusal("CERT_EXPIRED");
        _bring(_store, past);
        vm.assertEq(_store.signerRecord(past.id).length, 0);
    }

    function test_AddCertificate_RevertWhen_AnAuthorityIsOlder() public {
        _bring(_store, "root list");
        _bring(_store, "Platform CA");
        bytes memory before = _store.authorityRecord(PLATFORM);
        Doc memory older = _named("Platform CA, earlier");
        _expectRefusal("COLLATERAL_ROLLBACK");
        _bring(_store, older);
        _bring(_store, "Platform CA"); // in force already
        vm.assertEq(_store.authorityRecord(PLATFORM), before);
    }

    function test_AddCertificate_KeepsIt() public {
        _bring(_store, "root list");
        Doc memory signer = _named("TCB signer");
        vm.assertEq(_store.addCertificate(signer.data), signer.id);
        vm.assertEq(bytes32(_number(_store.signerRecord(signer.id), 94, 32)), signer.id);
        vm.assertEq(_store.addCertificate(signer.data), signer.id);
        Doc memory later = _named("Platform CA, later");
        _bring(_store, "Platform CA");
        _bring(_store, later);
        vm.assertEq(_store.authorityOf(keccak256(later.data)), PLATFORM);
        vm.assertEq(_store.authorityOf(keccak256(_named("Platform CA").data)), 0);
    }

    /* REVOCATION LISTS */

    function test_PutRevocationList_RevertWhen_NoAuthorityHasTheName() public {
        Doc memory list = _named("list of the CA");
        _expectRefusal("CRL_ISSUER_MISMATCH");
        _bring(_store, list);
    }

    function test_PutRevocationList_RevertWhen_AnotherKeySignedIt() public {
        _bringChain(_store);
        string[3] memory names = [
            "root list, by the CA", "list of the CA, by the signer", "root list, under another root"
        ];
        for (uint256 i = 0; i < names.length; ++i) {
            Doc memory forged = _named(names[i]);
            _expectRefusal("CRL_SIGNATURE_INVALID");
            _bring(_store, forged);
        }
    }

    function test_PutRevocationList_RevertWhen_ItIsNotInForce() public {
        _bringChain(_store);
        Doc memory list = _named("list of the CA, past");
        _expectRefusal("CRL_EXPIRED");
        _bring(_store, list);
        list = _named("list of the CA, which revokes the machine");
        _expectRefusal("CRL_NOT_YET_VALID");
        _bring(_store, list);
        vm.warp(list.issued);
        _bring(_store, list);
        vm.assertEq(bytes32(_number(_store.revocationList(PLATFORM), 10, 32)), list.id);
    }

    function test_PutRevocationList_RevertWhen_ItIsOlder() public {
        _bringChain(_store);
        string[2] memory names = ["root list", "list of the CA"];
        for (uint256 i = 0; i < names.length; ++i) {
            Doc memory later = _named(string.concat(names[i], ", later"));
            _bring(_store, later);
            _bring(_store, later); // in force already
            Doc memory older = _named(names[i]);
            _expectRefusal("COLLATERAL_ROLLBACK");
            _bring(_store, older);
            vm.assertEq(bytes32(_number(_store.revocationList(i), 10, 32)), later.id);
        }
    }

    /* DOCUMENTS */

    function test_PutDocument_RevertGiven_TheSignerIsUnknown() public {
        _bring(_store, "root list");
        for (uint256 i = 0; i < 2; ++i) {
            Doc memory doc = _document(i, "evaluation 17 of day -5");
            _expectRefusal("COLLATERAL_INCOMPLETE");
            _bring(_store, doc);
        }
    }

    function test_PutDocument_RevertWhen_TheSignatureIsOutOfRange() public {
        _bringChain(_store);
        bytes32 r = keccak256("r") >> 1;
        bytes[4] memory signatures = [
            abi.encode(r), abi.encode(r, r, r), abi.encode(r, 0), abi.encode(type(uint256).max, r)
        ];
        for (uint256 i = 0; i < 8; ++i) {
            Doc memory doc = _document(i % 2, "evaluation 17 of day -5");
            doc.signature = signatures[i / 2];
            _expectRefusal("SIGNATURE_INVALID");
            _bring(_store, doc);
        }
    }

    function test_PutDocument_RevertWhen_AnotherKeySignedIt() public {
        _bringChain(_store);
        string[2] memory names = ["signed by the CA", "evaluation 17 of day -5, under another root"];
        for (uint256 i = 0; i < 4; ++i) {
            Doc memory doc = _document(i % 2, names[i / 2]);
            _expectRefusal(_signatureReason(i % 2));
            _bring(_store, doc);
        }
    }

    /// forge-config: default.fuzz.runs = 64
    function testFuzz_PutDocument_RevertWhen_AnyBitIsChanged(uint256 bit, bool identity) public {
        _bringChain(_store);
        Doc memory doc = _document(identity ? 1 : 0, "evaluation 18 of day -4");
        doc.data = _flipped(doc.data, bit);
        _expectRefusal(_signatureReason(identity ? 1 : 0));
        _bring(_store, doc);
    }

    function test_PutDocument_RevertWhen_ItIsNotInForce() public {
        _bringChain(_store);
        for (uint256 i = 0; i < 2; ++i) {
            vm.warp(_at);
            Doc memory doc = _document(i, "evaluation 19 of day 1");
            _expectRefusal("COLLATERAL_NOT_YET_VALID");
            _bring(_store, doc);
            vm.warp(doc.issued);
            _bring(_store, doc);
            vm.assertEq(_idOf(i), doc.id);
            doc = _document(i, "evaluation 18 of day -4");
            vm.warp(doc.issued + 30 days + 1);
            _expectRefusal("COLLATERAL_EXPIRED");
            _bring(_store, doc);
        }
    }

    function test_PutDocument_RevertWhen_DateOrNumberGoBack() public {
        _bringChain(_store);
        string[3] memory older =
            ["evaluation 17 of day -5", "evaluation 17 of day -2", "evaluation 19 of day -4"];
        for (uint256 i = 0; i < 2; ++i) {
            Doc memory current = _document(i, "evaluation 18 of day -3");
            _bring(_store, current);
            _bring(_store, current); // in force already
            for (uint256 j = 0; j < older.length; ++j) {
                Doc memory doc = _document(i, older[j]);
                _expectRefusal("COLLATERAL_ROLLBACK");
                _bring(_store, doc);
                vm.assertEq(_idOf(i), current.id);
            }
        }
    }

    function test_PutDocument_KeepsTheNewer() public {
        _bringChain(_store);
        string[3] memory newer =
            ["evaluation 17 of day -5", "evaluation 18 of day -4", "evaluation 18 of day -3"];
        for (uint256 i = 0; i < 6; ++i) {
            Doc memory doc = _document(i % 2, newer[i / 2]);
            _bring(_store, doc);
            vm.assertEq(_idOf(i % 2), doc.id);
        }
    }

    /// @dev TCB infos are number 0, QE identities number 1.
    function _document(uint256 number, string memory name) private view returns (Doc memory) {
        return _named(string.concat(number == 0 ? "tcb_info " : "qe_identity ", name));
    }

    function _idOf(uint256 number) private view returns (bytes32) {
        bytes memory kept = number == 0 ? _store.tcbInfo(TDX, _fmspc) : _store.qeIdentity(TDX);
        return bytes32(_number(kept, 23, 32));
    }

    function _signatureReason(uint256 number) private pure returns (bytes32) {
        return number == 0
            ? bytes32("TCB_INFO_SIGNATURE_INVALID")
            : bytes32("QE_IDENTITY_SIGNATURE_INVALID");
    }
}
