"""Dead letters: reading, filters, corrections, retention, the audit trail."""
