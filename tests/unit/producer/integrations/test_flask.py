import flask
import pytest

from mixrelay.producer import ConfigurationError, RedisSink, Tracker
from mixrelay.producer.integrations.flask import Mixrelay, current_tracker, get_tracker


@pytest.fixture
def app(tracker):
    made = flask.Flask(__name__)
    Mixrelay(made, tracker=tracker)

    @made.get("/")
    def index():
        current_tracker.track("user", "Viewed")
        flask.after_this_request(lambda response: current_tracker.track("u", "After") and response)
        return "text"

    @made.get("/stream")
    def stream():
        def pieces():
            current_tracker.track("user", "Streamed")
            yield "text"

        return flask.Response(flask.stream_with_context(pieces()))

    @made.get("/broken")
    def broken():
        current_tracker.track("user", "Tried")
        raise ValueError

    return made


def test_a_request_is_one_sending(app, sink):
    assert app.test_client().get("/").text == "text"
    assert sink.names == [["Viewed", "After"]]


def test_a_stream_is_one_sending(app, sink):
    assert app.test_client().get("/stream").text == "text"
    assert sink.names == [["Streamed"]]


def test_a_request_that_fails_has_its_messages_sent(app, sink):
    answer = app.test_client().get("/broken")
    assert answer.status_code == 500
    answer.close()
    assert sink.names == [["Tried"]]


def test_a_test_sees_what_was_tracked_though_it_closes_no_response(app, sink):
    app.testing = True
    answer = app.test_client().get("/")
    assert sink.names == [["Viewed", "After"]]
    assert answer.status_code == 200


def test_flasks_own_test_client_still_keeps_the_context(app):
    with app.test_client() as client:
        client.get("/?page=1")
        assert flask.request.args["page"] == "1"


def test_a_tracker_is_made_by_the_configuration():
    app = flask.Flask(__name__)
    app.config |= {
        "MIXRELAY_TOKEN": "token",
        "MIXRELAY_REDIS_URL": "redis://h",
        "MIXRELAY_QUEUE": "q",
        "MIXRELAY_SPOOL_DIR": "off",
    }
    Mixrelay().init_app(app)
    with app.app_context():
        tracker = get_tracker()
        assert isinstance(current_tracker._outlet._sink, RedisSink)
    assert isinstance(tracker, Tracker)
    assert repr(tracker._outlet._sink) == "RedisSink('redis://h', 'q')"
    assert tracker._outlet._sink.settings.spool_dir == "off"


def test_each_application_has_its_own_tracker():
    extension = Mixrelay()
    apps = [flask.Flask("one"), flask.Flask("other")]
    for app in apps:
        app.config["MIXRELAY_TOKEN"] = app.name
        extension.init_app(app)
    tokens = []
    for app in apps:
        with app.app_context():
            tokens.append(current_tracker._token)
    assert tokens == ["one", "other"]


def test_trusted_proxies_are_configuration_too(app, sink, tracker):
    behind = flask.Flask(__name__)
    behind.config["MIXRELAY_TRUSTED_PROXIES"] = ["127.0.0.1"]
    Mixrelay(behind, tracker=tracker)
    behind.add_url_rule("/", view_func=app.view_functions["index"])
    behind.test_client().get("/", headers={"X-Forwarded-For": "203.0.113.7"})
    assert set(sink.ips) == {"203.0.113.7"}


def test_disabled_is_a_setting_that_needs_no_token():
    app = flask.Flask(__name__)
    app.config["MIXRELAY_DISABLED"] = "yes"
    Mixrelay(app)
    with app.app_context():
        assert current_tracker.track("user", "Viewed") is True
        assert get_tracker().counters.dropped == 1
    app.config["MIXRELAY_DISABLED"] = "2"
    with pytest.raises(ConfigurationError, match=r"^MIXRELAY_DISABLED is 2; set it to on or off"):
        Mixrelay(app)


def test_a_misspelt_setting_is_refused_at_the_start():
    app = flask.Flask(__name__)
    app.config["MIXRELAY_QUEU"] = "q"
    with pytest.raises(ConfigurationError, match="MIXRELAY_QUEU: there is no such setting"):
        Mixrelay(app)


def test_an_application_without_it_says_what_to_call():
    with flask.Flask(__name__).app_context(), pytest.raises(RuntimeError, match="init_app"):
        get_tracker()
