"""What a web request knows, for the events that are tracked within it: see docs/web.md.

``current`` has the request that is under way, ``options`` what an application chooses; each other
module is one part of what a request knows.
"""
