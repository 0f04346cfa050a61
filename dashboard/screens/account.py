"""Your account: password, second factor, where you are signed in, tokens."""

from dashboard.account.page import show_page

show_page()
