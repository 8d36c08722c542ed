"""Pictures of every screen, and what takes them."""
