"""The frozen values that everything else speaks in; no wire, clock or loop is known here.

Times are seconds since the epoch, sizes and MTUs are bytes, and an absent value is ``None``: unknown is never a
number. Every string that came from a cluster has been through :func:`probes.model.text.clean`.
"""
