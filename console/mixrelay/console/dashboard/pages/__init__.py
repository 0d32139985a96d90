"""What can be asked for: each module brings its routes, the narrower ones first."""

from mixrelay.console.dashboard.pages import (
    audit,
    fix,
    health,
    jobs,
    lanes,
    letter,
    letters,
    metrics,
    overview,
    workers,
)

ROUTES = [
    *health.ROUTES,
    *metrics.ROUTES,
    *overview.ROUTES,
    *lanes.ROUTES,
    *fix.ROUTES,
    *letters.ROUTES,
    *letter.ROUTES,
    *jobs.ROUTES,
    *audit.ROUTES,
    *workers.ROUTES,
]
