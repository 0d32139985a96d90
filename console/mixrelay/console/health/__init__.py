"""One judgement of a queue's health, which `status`, the page, alerts and metrics repeat."""
