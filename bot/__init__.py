"""Doorstep: the messaging front door of a social landlord."""
