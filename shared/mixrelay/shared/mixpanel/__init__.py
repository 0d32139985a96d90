"""What Mixpanel documents: its endpoints, its rules for a record, how one request is sent."""
