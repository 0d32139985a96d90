"""Middleware that sends each request's messages in one pipeline, after its response.

One module for each framework, none loaded unless it is imported: ``wsgi``, ``asgi``, ``django``,
``flask``, ``fastapi``, ``starlette``.
"""
