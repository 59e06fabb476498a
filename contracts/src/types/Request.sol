// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @notice How answers of several workers are compared.
enum Rule {
    /// @dev Byte for byte: the decision is the output's hash.
    Exact,
    /// @dev By class: equal decisions, whatever the wording.
    Class,
    /// @dev By number: decisions are int256, and agree within the tolerance of their median.
    Tolerance
}

/// @notice How many must agree, out of how many, how far apart.
struct Quorum {
    /// @dev Agreeing answers needed: more than half of `seats`.
    uint8 results;
    /// @dev How many workers may take part in one round.
    uint8 seats;
    /// @dev Distinct operators needed among those who agree.
    uint8 operators;
    /// @dev Distinct platform vendors needed among those who agree.
    uint8 vendors;
    Rule rule;
    uint128 tolerance;
}

/// @notice What is paid, to whom.
struct Payment {
    /// @dev Zero for ether.
    address token;
    /// @dev Who gets what is left over.
    address refundTo;
    /// @dev What is put up, in the token's smallest unit.
    uint96 maxFee;
    /// @dev Of each answer. With both fees zero, the answers share the whole of `maxFee`.
    uint96 baseFee;
    /// @dev Of each metered unit.
    uint96 unitFee;
}

/// @notice A request as it was made. Its id is the hash of all of it, so the oracle keeps no more.
struct Request {
    bytes32 appId;
    /// @dev The model, by its id in {IModelRegistry}.
    bytes32 modelId;
    /// @dev sha256 of the input.
    bytes32 inputCommitment;
    address requester;
    /// @dev How many requests the requester had made before.
    uint64 sequence;
    uint32 callbackGasLimit;
    /// @dev Last second in which only `workers` may answer, Unix time; zero where none are named.
    uint64 reservedUntil;
    /// @dev Last second the request may be fulfilled, Unix time.
    uint64 deadline;
    Payment payment;
    Quorum quorum;
    /// @dev Who is asked, ascending; empty for any worker of the app.
    address[] workers;
}

/// @notice The one id of a request.
library RequestLib {
    /// @dev Words of a request in front of its workers; the last of them says where those start.
    uint256 private constant HEAD_LENGTH = 20 * 32;

    /// @notice The request is not encoded as the ABI's canonical encoder does it.
    /// @custom:remedy Encode the terms anew with any ABI library.
    error RequestNotCanonical();

    /// @notice keccak256(abi.encode(chain id, oracle, request)), by the oracle itself.
    function idOf(Request memory request) internal view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), request));
    }

    /// @notice The same of a request in calldata, hashed where it stands: the encoding is the same, as
    /// long as the workers follow the head at once. Whatever else an encoder might differ in changes
    /// the hash, so it names no request that was made.
    function idOfCalldata(Request calldata request) internal view returns (bytes32) {
        return idOfCalldata(request, address(this));
    }

    /// @notice The same of a request at `oracle`.
    function idOfCalldata(Request calldata request, address oracle)
        internal
        view
        returns (bytes32 id)
    {
        uint256 count = request.workers.length;
        uint256 workersAt;
        assembly ("memory-safe") {
            // The last word of the head: the offset of the workers from the start of the request.
            workersAt := calldataload(add(request, sub(HEAD_LENGTH, 0x20)))
        }
        require(workersAt == HEAD_LENGTH, RequestNotCanonical());
        assembly ("memory-safe") {
            // Free memory takes the encoding; the pointer stays, as nothing of it is needed after.
            let start := mload(0x40)
            mstore(start, chainid())
            mstore(add(start, 0x20), oracle)
            // The request is dynamic: three words of head stand before it.
            mstore(add(start, 0x40), 0x60)
            // Its head, the number of workers and the workers.
            let length := add(HEAD_LENGTH, shl(5, add(count, 1)))
            calldatacopy(add(start, 0x60), request, length)
            id := keccak256(start, add(length, 0x60))
        }
    }
}
