"""A page as a reader gets it: its elements, its text, what its scripts hold."""

from html.parser import HTMLParser


class ReadPage(HTMLParser):
    """Parsed once, for tests of what stands on a page."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.words, self.scripts = [], [], []
        self.feed(page)
        self.close()

    @property
    def text(self):
        """All text outside of scripts."""
        return "".join(self.words)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, tuple(sorted(name for name, _ in attrs))))

    def handle_data(self, data):
        (self.scripts if self.lasttag in ("script", "style") else self.words).append(data)

    def handle_endtag(self, tag):
        self.lasttag = "" if tag in ("script", "style") else self.lasttag
