"""Proofs that Mixpanel knows a project token, before records are counted as delivered."""
