// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @notice A revocation list that is too long for one transaction, in pieces: its serial numbers are kept
/// beforehand, and everything else is here. Put together they are the very bytes that were signed.
struct LongRevocationList {
    /// @dev The DER of the list without the content of `revokedCertificates`.
    bytes frame;
    /// @dev Where in the frame that content belongs.
    uint256 cut;
    /// @dev What follows the serial number in an entry, each once and with its length (1) in front.
    bytes forms;
    /// @dev Of each entry, in the list's order: which serial number (2), which form (2).
    bytes order;
    /// @dev The accounts that keep the serial numbers, all of them ascending: see {keepSerials}.
    address[] parts;
}

/// @title ICollateralStore
/// @notice Intel's collateral, proven down from one root certificate and kept packed.
/// @dev Anyone may bring a document: it is accepted on Intel's signature alone, and never backward in
/// issue date or evaluation number. An authority is 1, the PCK Platform CA, or 2, the PCK Processor
/// CA. TEE types are 1, SGX, and 2, TDX.
/// @dev Order: root revocation list, certificates, then revocation lists of authorities and documents.
/// @dev INTEGRATOR RESPONSIBILITIES. Documents were current when they were stored. Whoever reads them
/// must ask whether they still are: {collateral} carries every window.
interface ICollateralStore {
    /// @notice A certificate issued by the root is known. `id` is SHA-256 of its `tbsCertificate`.
    event CertificateAdded(bytes32 indexed id, bytes32 commonName, uint64 notAfter);

    /// @notice A newer revocation list is in force. `issuer` is 0 for the root, else the authority. All
    /// else is zero where an authority has another key now, and its list is to be brought anew.
    event RevocationListStored(
        uint256 indexed issuer,
        bytes32 indexed id,
        uint64 thisUpdate,
        uint64 nextUpdate,
        uint256 count
    );

    /// @notice Serial numbers of a long revocation list are kept: see {keepSerials}.
    event SerialsKept(address indexed part);

    /// @notice A newer TCB info is in force.
    event TcbInfoStored(
        uint256 indexed teeType,
        bytes6 indexed fmspc,
        bytes32 indexed id,
        uint64 issueDate,
        uint64 nextUpdate,
        uint32 evaluationNumber
    );

    /// @notice A newer QE identity is in force.
    event QeIdentityStored(
        uint256 indexed teeType,
        bytes32 indexed id,
        uint64 issueDate,
        uint64 nextUpdate,
        uint32 evaluationNumber
    );

    /// @notice The collateral of one platform family was put together, and is cheap to read until a
    /// part of it changes.
    event CollateralAssembled(
        uint256 indexed teeType, bytes6 indexed fmspc, uint256 indexed authority, address pointer
    );

    /// @notice Brings the DER of a certificate the root issued: a PCK CA or a TCB signer.
    /// @return id SHA-256 of its `tbsCertificate`, which names a signer.
    function addCertificate(bytes calldata der) external returns (bytes32 id);

    /// @notice Brings the DER of the root's revocation list or of an authority's.
    function putRevocationList(bytes calldata der) external;

    /// @notice Keeps a part of a long revocation list: serial numbers, ascending, 20 bytes each, at most
    /// 1,228. Proves nothing, and nothing is in force by it.
    /// @return part Where they are: it follows from them alone, so whoever brings the same finds them
    /// kept, and an upload that was interrupted goes on where it ended.
    function keepSerials(bytes calldata serials) external returns (address part);

    /// @notice Brings an authority's revocation list whose serial numbers are kept already. All or
    /// nothing: the list is in force once its very bytes were put together and bear the authority's
    /// signature.
    /// @dev Up to 12 parts. No part belongs to anyone, and none says anything of itself: one that is
    /// missing, or another's, or out of order puts together what nobody signed.
    function putLongRevocationList(LongRevocationList calldata list) external;

    /// @notice Brings a TCB info: the signed object's very bytes, r and s, and who signed.
    function putTcbInfo(bytes calldata document, bytes calldata signature, bytes32 signer) external;

    /// @notice Brings a QE identity: the signed object's very bytes, r and s, and who signed.
    function putQeIdentity(bytes calldata document, bytes calldata signature, bytes32 signer)
        external;

    /// @notice Keeps what {collateral} returns in one piece. Changes what reading costs, nothing else.
    function assemble(uint256 teeType, uint256 fmspc, uint256 authority) external;

    /// @notice All that platforms of one family are judged by, packed as `CollateralLib` reads it.
    /// @dev Reverts for what is missing or revoked; does not judge windows.
    function collateral(uint256 teeType, uint256 fmspc, uint256 authority)
        external
        view
        returns (bytes memory);

    /// @notice The record of an authority's certificate, packed as `CertificateRecord` reads it.
    function authorityRecord(uint256 authority) external view returns (bytes memory);

    /// @notice Which authority the certificate with this Keccak-256 is; 0 for none in force.
    function authorityOf(bytes32 certificate) external view returns (uint256);

    /// @notice Always reverts: with what is wrong with a PCK CA certificate that is not in force, or
    /// with its absence.
    function refuseAuthority(bytes calldata der) external view;

    /// @notice The record of a TCB signer's certificate, packed as `CertificateRecord` reads it; empty
    /// where none has this id.
    function signerRecord(bytes32 id) external view returns (bytes memory);

    /// @notice The account whose code, after its first byte, is {collateral} of a family; zero where
    /// {isAssembled} is false.
    /// @param family FMSPC (6 bytes), authority (1) and TEE type (1), as one number.
    function assembledAt(uint256 family) external view returns (address);

    /// @notice Whether {collateral} of this family is kept in one piece, put together since any part of
    /// it changed.
    function isAssembled(uint256 teeType, uint256 fmspc, uint256 authority)
        external
        view
        returns (bool);

    /// @notice The packed TCB info in force; empty where there is none.
    function tcbInfo(uint256 teeType, uint256 fmspc) external view returns (bytes memory);

    /// @notice The packed QE identity in force; empty where there is none.
    function qeIdentity(uint256 teeType) external view returns (bytes memory);

    /// @notice The packed revocation list in force of the root (0) or an authority; empty where there
    /// is none. Of a long one its parts: see `CrlLib`.
    function revocationList(uint256 issuer) external view returns (bytes memory);

    /// @notice SHA-256 of the root key's x and y: the name journals know the root by.
    function ROOT_KEY_HASH() external view returns (bytes32);

    /// @notice Keccak-256 of the root certificate's DER.
    function ROOT_CERTIFICATE() external view returns (bytes32);
}
