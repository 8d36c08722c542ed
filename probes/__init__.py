"""Observe a cluster and judge what was seen: nothing here changes or renders anything."""
