"""What a plan says of its machine."""

from __future__ import annotations

from dataclasses import replace

from pretended import CPU, PLAN

GPU = replace(CPU, device="cuda:1", capability=(9, 0), arch="9.0a")


def test_a_plan_says_what_its_machine_does() -> None:
    plan = replace(PLAN, machine=GPU)
    assert (plan.device, plan.capability, plan.arch) == ("cuda:1", (9, 0), "9.0a")
    assert (PLAN.device, PLAN.capability, PLAN.arch) == ("cpu", None, None)
