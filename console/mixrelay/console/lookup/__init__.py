"""Mixpanel's lookup tables."""
