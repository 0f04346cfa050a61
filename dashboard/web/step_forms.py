"""The forms of signing in, as HTML: name and password, and one for each thing that a sign-in may lack after them."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import quote

from core.people import ASKED_OF_A_PASSWORD, Step
from core.people.half_open import Lacking
from core.settings import Settings

__all__ = ["FORMS", "codes", "sign_in"]

BEGIN_AGAIN = '<p class="aside"><a href="/sign-in">Begin again, or sign in as somebody else</a></p>'


def sign_in(form_token: str, target: str, username: str, settings: Settings) -> str:
    """Return the form of name and password, beside the way to the hospital's own sign-in where there is one."""
    form = f"""<form method="post" action="/sign-in">
{_hidden(form_token, target)}
<label for="username">User name</label>
<input id="username" name="username" autocomplete="username" autocapitalize="none" spellcheck="false" required
 value="{html.escape(username)}"{"" if username else " autofocus"}>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required{
        " autofocus" if username else ""
    }>
<button type="submit">Sign in</button>
</form>"""
    if settings.oidc_issuer is None:
        return form
    way = "/sign-in/oidc" if target == "/" else f"/sign-in/oidc?next={quote(target, safe='/')}"
    outside = (
        f'<a class="button" href="{html.escape(way)}">Sign in with {html.escape(settings.oidc_name)}</a>'
    )
    if settings.oidc_only:
        opened = " open" if username else ""
        return f"{outside}<details{opened}><summary>Sign in as an admin with a password</summary>{form}</details>"
    return f'{outside}<p class="or">or with a password</p>{form}'


def _second_factor(_found: Lacking, form_token: str, target: str) -> tuple[str, str]:
    return (
        "Enter a code",
        f"""<form method="post" action="/sign-in/step">
{_hidden(form_token, target)}
<label for="code">Code of your authenticator app</label>
<input id="code" name="code" autocomplete="one-time-code" autocapitalize="none" spellcheck="false" maxlength="32" required
 autofocus>
<p class="aside">Without your phone: one of your recovery codes.</p>
<button type="submit">Go on</button>
</form>{BEGIN_AGAIN}""",
    )


def _password(found: Lacking, form_token: str, target: str) -> tuple[str, str]:
    return (
        "Choose a password",
        f"""<form method="post" action="/sign-in/step">
{_hidden(form_token, target)}
<p>Somebody else chose the password that you were given. Choose one that only you know.</p>
<input name="username" value="{html.escape(found.username)}" autocomplete="username" hidden>
<label for="password">New password</label>
<input id="password" name="password" type="password" autocomplete="new-password" required autofocus
 aria-describedby="asked">
<p class="aside" id="asked">{html.escape(ASKED_OF_A_PASSWORD)}</p>
<label for="again">New password, once more</label>
<input id="again" name="again" type="password" autocomplete="new-password" required>
<button type="submit">Go on</button>
</form>{BEGIN_AGAIN}""",
    )


def _enrol(found: Lacking, form_token: str, target: str) -> tuple[str, str]:
    assert found.factor is not None
    secret = found.factor.secret
    by_hand = " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))
    return (
        "Set up a second factor",
        f"""<form method="post" action="/sign-in/step">
{_hidden(form_token, target)}
<p>Your role signs in with a code beside the password. Take this picture with an authenticator app on your phone, then enter
the code that it shows.</p>
<img class="picture" alt="Picture for the authenticator app" src="{html.escape(found.factor.picture())}">
<p class="aside">By hand, if the picture cannot be taken:<br><code>{html.escape(by_hand)}</code></p>
<label for="code">Code that the app shows</label>
<input id="code" name="code" autocomplete="one-time-code" inputmode="numeric" maxlength="12" required autofocus>
<button type="submit">Set up</button>
</form>{BEGIN_AGAIN}""",
    )


def codes(made: Sequence[str], target: str) -> str:
    """Return the recovery codes of a second factor that was just set up, shown this once, and the way on."""
    rows = "".join(f"<li><code>{html.escape(code)}</code></li>" for code in made)
    return f"""<p>Your second factor is set up. These are your recovery codes, <b>shown this once</b>: each stands once for a
code, should you not have your phone. Write them down or print them, and keep them where your phone is not.</p>
<ol class="codes">{rows}</ol>
<a class="button" href="{html.escape(target)}">I have kept them: go on</a>"""


def _hidden(form_token: str, target: str) -> str:
    return (
        f'<input type="hidden" name="form_token" value="{form_token}">\n'
        f'<input type="hidden" name="next" value="{html.escape(target)}">'
    )


FORMS: Mapping[Step, Callable[[Lacking, str, str], tuple[str, str]]] = {
    Step.SECOND_FACTOR: _second_factor,
    Step.PASSWORD: _password,
    Step.ENROL: _enrol,
}
"""By what is lacking: the title of the page and its form, of what is lacking, the form's token and the way on."""
