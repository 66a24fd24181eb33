"""Measurements, each beside a floor in the same run: a ratio says more than a figure from somebody's machine."""
