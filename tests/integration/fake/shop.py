"""An application as one writes it: made at import, its tracker from the environment."""

from flask import Flask, request

from mixrelay.producer import Tracker

tracker = Tracker("token-of-a-shop", redis_url="redis://localhost:1/0", spool_dir="off")
app = Flask(__name__)


@app.post("/orders")
def order():
    user = request.form["user"]
    with tracker.batch(ip=request.remote_addr):
        tracker.track(user, "Ordered", {"Item": request.form["item"]})
        tracker.people.increment(user, {"Orders": 1})
        tracker.groups.set("shop", "books", {"Open": True})
    return {"ok": True}
