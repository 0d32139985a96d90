"""One batch: decode, check, send, judge, settle. Knows neither RQ nor processes."""
