"""The floor of the house: ids, clock, codec and limits, errors, settings, events. Imports nothing above it."""
