"""The only code that may change a cluster; nothing here does yet."""
