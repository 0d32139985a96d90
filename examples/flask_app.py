"""Flask: POST /upgrade/ann

python examples/run.py flask       # with a Valkey, a worker and the sandbox
flask --app examples/flask_app run --port 8000
"""

from flask import Flask

from mixrelay.producer.integrations.flask import Mixrelay, current_tracker

mixrelay = Mixrelay()


def create_app() -> Flask:
    """Return the application; its tracker reads MIXPANEL_TOKEN and MIXRELAY_REDIS_URL."""
    app = Flask(__name__)
    app.config["MIXRELAY_TRUSTED_PROXIES"] = ["127.0.0.1"]
    mixrelay.init_app(app)
    app.add_url_rule("/upgrade/<user>", view_func=upgrade, methods=["POST"])
    return app


def upgrade(user: str) -> dict[str, str]:
    """Track three messages, which go to the queue together, after the response."""
    current_tracker.track(user, "Plan Upgraded", {"New Plan": "Premium"})
    current_tracker.people.set(user, {"Plan": "Premium"})
    current_tracker.people.plus_one(user, "Upgrades")
    return {"upgraded": user}
