"""What keeps a visitor's privacy in web applications (docs/web.md)."""

from tests.protections.protection import PRODUCER, Protection

_LIVE = f"{PRODUCER}/context/live.py"
_PARTS = "unit/producer/context/test_parts.py"

IN_REQUESTS = (
    Protection(
        name="consent that fails",
        against="a visitor is followed whose consent nobody could read",
        file=_LIVE,
        old="return self.part(name, False, says_yes, asked, self._web)",
        new="return self.part(name, True, says_yes, asked, self._web)",
        proof=_PARTS,
        test="test_a_consent_that_fails_is_a_refusal",
    ),
    Protection(
        name="consent is no promise",
        against="a refusal that nobody awaited counts as consent",
        file=f"{PRODUCER}/context/answers.py",
        old="if isawaitable(answer):",
        new="if False:",
        proof=_PARTS,
        test="test_an_answer_that_nobody_can_read_is_no_consent",
    ),
    Protection(
        name="no device without consent",
        against="a cookie is set for a visitor who refused",
        file=_LIVE,
        old="is_wanted = self.options.device is not False and not self.is_ignored()",
        new="is_wanted = self.options.device is not False",
        proof="unit/producer/context/test_responses.py",
        test="test_code_that_asks_for_the_device_gets_none_where_consent_is_refused",
    ),
    Protection(
        name="tasks keep a refusal",
        against="the task of a request is tracked whose visitor refused",
        file=f"{PRODUCER}/context/known.py",
        old='return {"ignored": True}',
        new="return {}",
        proof="unit/producer/context/test_responses.py",
        test="test_what_an_ignored_request_carries_is_ignored_too",
    ),
    Protection(
        name="trusted proxies",
        against="anybody writes an address, and is taken for somebody else",
        file=f"{PRODUCER}/integrations/addresses.py",
        old="            if nearest is None or not self._trusts(nearest):\n",
        new="            if nearest is None:\n",
        proof="unit/producer/integrations/test_addresses.py",
        test="test_a_peer_that_is_no_proxy_cannot_speak_for_another",
    ),
    Protection(
        name="masking of addresses",
        against="Mixpanel gets the whole address of a visitor",
        file=_LIVE,
        old='return masked(found) if self.options.ip == "masked" else found',
        new="return found",
        proof=_PARTS,
        test="test_an_address_is_masked_and_a_proxy_that_nobody_named_places_nobody",
    ),
    Protection(
        name="allowlist of a page's query",
        against="a secret in a query goes to Mixpanel",
        file=_LIVE,
        old="[field for field in read if field[0] in kept]",
        new="list(read)",
        proof=_PARTS,
        test="test_addresses_keep_the_fields_that_are_named_and_campaigns",
    ),
    Protection(
        name="allowlist of a referrer's query",
        against="a secret in another page's query goes to Mixpanel",
        file=f"{PRODUCER}/context/page_addresses.py",
        old="[field for field in query_fields(parts.query) if field[0] in kept]",
        new="query_fields(parts.query)",
        proof=_PARTS,
        test="test_addresses_keep_the_fields_that_are_named_and_campaigns",
    ),
)
