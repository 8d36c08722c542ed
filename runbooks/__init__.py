"""The only code that may change a cluster: a runbook becomes a plan, an engine takes it step by step.

``schema`` reads a runbook, ``plan`` makes of it and of a diagnosis the exact steps (pure), ``gates`` tell by observed
state when a step is done, ``events`` are what a front end sees and answers. docs/runbooks.md is the contract.
"""
