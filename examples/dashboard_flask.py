"""The dashboard in a Flask application, for whoever is signed in there: /ops/mixrelay/

    gunicorn --chdir examples --workers 2 dashboard_flask:app

Sign in with a form at /sign-in, as ann with the password "only-an-example".
"""

from flask import Flask, abort, redirect, request, session
from werkzeug import Response

from mixrelay.console.dashboard import create_wsgi_app

PASSWORDS = {"ann": "only-an-example"}
FORM = "<form method=post><input name=name><input name=password type=password><button>Sign in"
UNDER = "/ops/mixrelay"

app = Flask(__name__)
app.secret_key = "the key of your sessions"
page = create_wsgi_app(secret=app.secret_key)


@app.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> Response | str:
    if request.method == "GET":
        return FORM
    if PASSWORDS.get(request.form["name"]) != request.form["password"]:
        abort(403)
    session["user"] = request.form["name"]
    return redirect(f"{UNDER}/", 303)


# With Flask-Login this would be @login_required, and current_user below.
@app.route(f"{UNDER}/", defaults={"path": ""}, methods=["GET", "POST"])
@app.route(f"{UNDER}/<path:path>", methods=["GET", "POST"])
def mixrelay(path: str) -> Response:
    if "user" not in session:
        return redirect("/sign-in")
    under, who = request.root_path + UNDER, session["user"]
    status, headers, body = page.answer(request.environ, under=under, path=path, user=who)
    return Response(body, status, headers)
