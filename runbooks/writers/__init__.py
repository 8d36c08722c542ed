"""Writers: every verb there is that changes a cluster; only the engine and its lock hold one."""
