"""One partition on one node, and what is asked of all of them."""
