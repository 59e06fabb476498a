"""What governor and guardian of a random history do beside admitting measurements and policies."""

from __future__ import annotations

from dataclasses import astuple
from typing import TYPE_CHECKING

from eth_utils.crypto import keccak
from quotary_bridge.chain.contracts import Model, Operation
from quotary_bridge.model import Bytes32
from quotary_bridge.zk import RELEASES

from tests.bridge.admission_names import DAY, GOVERNOR, GUARDIAN, STRANGER

if TYPE_CHECKING:
    from tests.bridge.admission_world import AdmissionWorld

__all__ = ["Governance", "a_model"]


class Governance:
    """Models, routes, receipt verifiers and the timelock itself, each changed at random."""

    def __init__(self, world: AdmissionWorld) -> None:
        """Act on `world`, through its accounts."""
        self.world = world

    def change_models(self) -> bool:
        """Admit a model, or rule one out."""
        dice = self.world.random
        model = a_model(dice.randrange(1, 5))
        if dice.random() < 0.5:
            return self.world.govern("ModelRegistry", "admit", astuple(model))
        account = dice.choice([GUARDIAN, GUARDIAN, STRANGER])
        function = dice.choice(["revoke", "ban"])
        model_id = model.id if dice.random() < 0.7 else dice.randbytes(32)
        return self.world.send(account, "ModelRegistry", function, model_id)

    def change_route(self) -> bool:
        """Open a route to the committee, or freeze one."""
        dice = self.world.random
        if dice.random() < 0.3 and len(self.world.routes) > 2:
            route = self.world.routes.pop(dice.randrange(len(self.world.routes)))
            return self.world.send(GUARDIAN, "VerifierRouter", "freeze", route)
        route = dice.randbytes(4)
        self.world.routes.append(route)
        verifier = self.world.record.address("CommitteeVerifier")
        return self.world.govern("VerifierRouter", "addRoute", route, verifier)

    def change_receipts(self) -> bool:
        """Remove a receipt verifier, or stop one."""
        dice = self.world.random
        if dice.random() < 0.5:
            selector = dice.choice([release.selector for release in RELEASES] + [dice.randbytes(4)])
            return self.world.send(GUARDIAN, "RiscZeroRouter", "removeVerifier", selector)
        release = dice.choice(RELEASES)
        stop = self.world.record.address(f"RiscZeroEmergencyStop-{release.version}")
        return self.world.transact(GUARDIAN, stop, keccak(text="estop()")[:4])

    def play_with_timelock(self) -> bool:
        """Propose nothing much, cancel it, or give a role to somebody."""
        dice = self.world.random
        operation = Operation(self.world.policy.address, b"", Bytes32(dice.randbytes(32)))
        proposal = self.world.timelock.propose(operation, dice.randrange(10 * DAY))
        done = self.world.transact(GOVERNOR, self.world.timelock.address, proposal)
        if dice.random() < 0.5:
            cancel = self.world.timelock.cancel(self.world.timelock.id_of(operation))
            return self.world.transact(GUARDIAN, self.world.timelock.address, cancel)
        if dice.random() < 0.5:
            role = keccak(text=dice.choice(["PROPOSER_ROLE", "CANCELLER_ROLE"]))
            someone = self.world.signers[dice.randrange(5, 9)].address
            function = dice.choice(["grantRole", "revokeRole"])
            return self.world.govern("GovernanceTimelock", function, role, someone)
        return done


def a_model(number: int) -> Model:
    """Model `number`, of any content."""
    content = Bytes32(bytes([number]) * 32)
    return Model(content, content, content, "a model", "a licence")
