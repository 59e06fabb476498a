// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {IEscrow, TokenTerms} from "../interfaces/IEscrow.sol";
import {IGoverned} from "../interfaces/IGoverned.sol";

/// @title Escrow
/// @notice Takes what requests put up and pays it out by credit: nothing is ever pushed.
/// @dev Conservation: of each token the contract holds exactly all credits and all that pending
/// requests put up. Whoever sends ether past {_collect} has none: there is no receive function.
abstract contract Escrow is IEscrow, ReentrancyGuardTransient {
    /* STORAGE */

    /// @dev One more than the least fee; zero for tokens that are not accepted.
    mapping(address token => uint256) private _terms;

    /// @inheritdoc IEscrow
    mapping(address token => mapping(address account => uint256)) public creditOf;

    /* CONSTRUCTOR */

    constructor(TokenTerms[] memory tokens) {
        for (uint256 i = 0; i < tokens.length; ++i) {
            _terms[tokens[i].token] = uint256(tokens[i].minFee) + 1;
        }
    }

    /* CREDITS */

    /// @inheritdoc IEscrow
    function withdraw(address token, address payable to) external nonReentrant {
        require(to != address(0), IGoverned.ZeroAddress());
        uint256 amount = creditOf[token][msg.sender];
        require(amount != 0, NoCredit(msg.sender));
        creditOf[token][msg.sender] = 0;
        emit Withdrawn(token, msg.sender, to, amount);
        if (token == address(0)) Address.sendValue(to, amount);
        else SafeERC20.safeTransfer(IERC20(token), to, amount);
    }

    /// @inheritdoc IEscrow
    function minFeeOf(address token) external view returns (bool accepted, uint96 minFee) {
        uint256 terms = _terms[token];
        // Above zero, `terms` is one more than a number of 96 bits.
        return terms == 0 ? (false, uint96(0)) : (true, uint96(terms - 1));
    }

    /* MOVEMENTS */

    // Slither does not see that {RequestBook-request}, which asks, is payable.
    // slither-disable-next-line msg-value-in-nonpayable
    function _requirePayable(address token, uint256 amount) internal view {
        uint256 terms = _terms[token];
        require(terms != 0, TokenNotAccepted(token));
        require(amount >= terms - 1, FeeTooSmall(amount, terms - 1));
        uint256 value = token == address(0) ? amount : 0;
        require(msg.value == value, WrongValue(msg.value, value));
    }

    /// @dev Fetches `amount` from the caller, after {_requirePayable}: ether is here already.
    function _collect(address token, uint256 amount) internal {
        if (token == address(0)) return;
        uint256 held = IERC20(token).balanceOf(address(this));
        SafeERC20.safeTransferFrom(IERC20(token), msg.sender, address(this), amount);
        uint256 received = IERC20(token).balanceOf(address(this)) - held;
        require(received == amount, TokenTakesFees(received, amount));
    }

    function _credit(address token, address account, uint256 amount) internal {
        if (amount != 0) creditOf[token][account] += amount;
    }
}
