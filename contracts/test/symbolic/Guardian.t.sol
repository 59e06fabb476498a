// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ChangeLog} from "../../src/registry/ChangeLog.sol";
import {ITcbPolicy, PolicyHead} from "../../src/interfaces/ITcbPolicy.sol";
import {TcbPolicy} from "../../src/registry/TcbPolicy.sol";
import {Proof} from "./Proof.sol";

/// @notice Policies: who is not the governor publishes nothing and lifts nothing.
contract PolicyProof is Proof {
    TcbPolicy private _policy;

    function setUp() public {
        _policy = new TcbPolicy(GOVERNOR, GUARDIAN, new ChangeLog(1), 2);
        svm.enableSymbolicStorage(address(_policy));
    }

    function check_Policy_StaysButForTheGovernor(address caller, bytes32 appId, uint8 teeType)
        public
    {
        vm.assume(caller != GOVERNOR);
        PolicyHead memory before = _policy.headOf(appId, teeType);
        _anyCall(address(_policy), caller);
        PolicyHead memory found = _policy.headOf(appId, teeType);
        assert(found.version == before.version);
        assert(found.publishedAt == before.publishedAt);
        assert(found.graceEndsAt == before.graceEndsAt);
    }

    function check_Barred_AreLiftedByTheGovernorAlone(
        address caller,
        bytes32 appId,
        bytes32 subject
    ) public {
        vm.assume(caller != GOVERNOR);
        bool before = _policy.isBarred(appId, subject);
        _anyCall(address(_policy), caller);
        bool found = _policy.isBarred(appId, subject);
        if (before) assert(found);
        else if (found) assert(caller == GUARDIAN);
    }
}
