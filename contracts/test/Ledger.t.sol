// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {TokenTerms} from "../src/interfaces/IEscrow.sol";
import {
    FailureReason,
    RequestParams,
    RequestState,
    RequestStatus
} from "../src/interfaces/IRequestBook.sol";
import {RequestBook} from "../src/oracle/RequestBook.sol";
import {Request} from "../src/types/Request.sol";
import {Mood, MoodyConsumer} from "./Consumers.t.sol";
import {RoundFixture} from "./RoundFixture.t.sol";

/// @notice A token as plain as they come.
contract PlainToken is ERC20 {
    constructor() ERC20("Plain", "PLN") {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}

/// @notice Asks, reassigns, lets expire, abandons, retries and withdraws in any order, in ether and in a
/// token, and keeps the books over it; how requests are answered is its heirs'.
abstract contract Ledger is RoundFixture {
    PlainToken internal coin;
    MoodyConsumer internal caller;
    Request[] internal requests;

    mapping(address token => uint256) public paidIn;
    mapping(address token => uint256) public paidOut;
    /// @dev Requests that were seen in a final state and later in another one.
    uint256 public revivals;
    /// @dev Requests that failed for no reason, or have a reason and did not fail.
    uint256 public unreasoned;

    bytes32 private _otherModel;
    mapping(bytes32 requestId => RequestStatus) private _seen;

    constructor() {
        super.setUp();
        _prepare();
        caller.approve(coin);
        _otherModel = _admitModel("other weights");
    }

    /// @dev The constructor set up everything.
    function setUp() public pure virtual override {}

    /// @notice Whose books are kept.
    function book() public view virtual returns (RequestBook);

    /// @dev Makes `caller`, and what else is needed.
    function _prepare() internal virtual;

    function _tokens() internal virtual override returns (TokenTerms[] memory terms) {
        if (address(coin) == address(0)) coin = new PlainToken();
        terms = new TokenTerms[](2);
        terms[1].token = address(coin);
    }

    function theCoin() external view returns (IERC20) {
        return coin;
    }

    /* STEPS */

    /// @param shape which of the many kinds of requests it is, by its bits.
    function ask(uint96 fee, uint8 mood, bool callback, uint8 shape, uint64 unitFee) public {
        fee = fee % 1 ether;
        RequestParams memory params = _shaped(shape);
        params.payment.maxFee = fee;
        params.payment.unitFee = unitFee;
        if (!callback) params.callbackGasLimit = 0;
        if (shape & 4 != 0) params.payment.refundTo = STRANGER;
        if (shape & 16 != 0) params.modelId = _otherModel;
        if (shape & 8 != 0) {
            params.reservedUntil = uint64(block.timestamp);
            params.workers = new address[](params.quorum.seats);
            for (uint256 i = 0; i < params.workers.length; ++i) {
                params.workers[i] = params.workers.length == 1 ? worker : _workerAt(i);
            }
        }
        caller.setMood(Mood(mood % (uint8(type(Mood).max) + 1)));
        if (shape & 32 != 0) {
            params.payment.token = address(coin);
            coin.mint(address(caller), fee);
        }
        _post(params);
    }

    /// @dev Of one worker; heirs may know others.
    function _shaped(uint8) internal view virtual returns (RequestParams memory) {
        return _params();
    }

    function _post(RequestParams memory params) private {
        Request memory made = _request(params, address(caller));
        made.sequence = book().sequenceOf(address(caller));
        uint256 fee = params.payment.maxFee;
        uint256 value = params.payment.token == ETHER ? fee : 0;
        vm.deal(address(this), value);
        vm.assertEq(caller.ask{value: value}(params), book().requestIdOf(made));
        requests.push(made);
        paidIn[params.payment.token] += fee;
    }

    function reassign(uint256 which) external {
        if (requests.length == 0) return;
        vm.prank(STRANGER);
        try book().reassign(_at(which)) {} catch {}
        _observe();
    }

    function retry(uint256 which, bytes32 output) external {
        if (requests.length == 0) return;
        caller.setMood(Mood.Calm);
        try caller.retry(_at(which), OUTPUT) {} catch {}
        try caller.retry(_at(which), abi.encode(output)) {} catch {}
        _observe();
    }

    /// @dev Once, and not at the beginning: nothing asks for that model afterwards.
    function revokeModel(uint8 luck) external {
        if (luck % 8 != 0) return;
        vm.prank(GUARDIAN);
        try models.revoke(_otherModel) {} catch {}
    }

    function abandon(uint256 which) external {
        if (requests.length == 0) return;
        vm.prank(STRANGER);
        try book().abandon(_at(which)) {} catch {}
        _observe();
    }

    function refund(uint256 which) external {
        if (requests.length == 0) return;
        try book().refund(_at(which)) {} catch {}
        _observe();
    }

    function wait(uint16 time) external {
        vm.warp(block.timestamp + time % 30 minutes);
    }

    function withdraw(uint256 who, bool inToken) external {
        address token = inToken ? address(coin) : ETHER;
        address account = _accountAt(who % (WORKERS + 3));
        uint256 credit = book().creditOf(token, account);
        vm.prank(account);
        try book().withdraw(token, payable(address(0xfee))) {
            paidOut[token] += credit;
        } catch {}
    }

    /* BOOKS */

    /// @dev What is owed in `token`, summed over everyone there is.
    function owed(address token) external view returns (uint256 sum) {
        for (uint256 i = 0; i < WORKERS + 3; ++i) {
            sum += book().creditOf(token, _accountAt(i));
        }
        for (uint256 i = 0; i < requests.length; ++i) {
            RequestState memory state = book().stateOf(book().requestIdOf(requests[i]));
            if (state.status != RequestStatus.Pending) continue;
            if (requests[i].payment.token != token) continue;
            uint256 fee = requests[i].payment.maxFee;
            sum += state.reassigned ? fee - fee / 100 : fee;
        }
    }

    function count(RequestStatus status) external view returns (uint256 found) {
        for (uint256 i = 0; i < requests.length; ++i) {
            if (book().stateOf(book().requestIdOf(requests[i])).status == status) ++found;
        }
    }

    function _at(uint256 which) internal view returns (Request memory) {
        return requests[which % requests.length];
    }

    function _accountAt(uint256 index) private view returns (address) {
        if (index == WORKERS) return OPERATOR;
        if (index == WORKERS + 1) return STRANGER;
        return index > WORKERS ? address(caller) : _operator(index);
    }

    function _observe() internal {
        for (uint256 i = 0; i < requests.length; ++i) {
            bytes32 id = book().requestIdOf(requests[i]);
            RequestState memory state = book().stateOf(id);
            RequestStatus status = state.status;
            bool failed = status == RequestStatus.Failed;
            if (failed != (state.failure != FailureReason.None)) ++unreasoned;
            if (_seen[id] > RequestStatus.Pending && status != _seen[id]) ++revivals;
            _seen[id] = status;
        }
    }
}
