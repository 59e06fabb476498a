// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Base} from "../Base.t.sol";

/// @notice The cheatcodes of Halmos that the proofs use.
interface Svm {
    /// @dev Calldata for any function of the contract at `target` that may change something.
    function createCalldata(address target) external view returns (bytes memory);
    /// @dev Lets every storage slot of `target` hold anything.
    function enableSymbolicStorage(address target) external;
}

/// @notice What every proof starts from.
/// @dev A proof is a function `check_…`: Halmos looks for arguments, storage and calldata for which one
/// of its assertions fails, and says so where there are none. Run by `make halmos`.
abstract contract Proof is Base {
    Svm internal constant svm = Svm(address(uint160(uint256(keccak256("svm cheat code")))));

    /// @dev Any call of any changing function of `target`, by anyone; `accepted` where it succeeds.
    function _anyCall(address target, address caller) internal returns (bool accepted) {
        bytes memory data = svm.createCalldata(target);
        vm.prank(caller);
        (accepted,) = target.call(data);
    }
}
