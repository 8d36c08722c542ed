"""Views: pure functions from a diagnosis to the rows that a screen shows."""
