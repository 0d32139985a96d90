"""The main job on one machine with real parts, told as a story."""
