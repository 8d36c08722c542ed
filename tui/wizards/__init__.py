"""Wizards: a repair from its plan to its report. They draw what an engine yields, and hand it an operator's answers."""
