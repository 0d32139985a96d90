"""What each partition has of its own, seen as one queue's.

Each is given the list of the partitions itself: who learns of another adds it there.
"""
