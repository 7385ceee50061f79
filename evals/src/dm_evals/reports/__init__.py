"""One run told in the terminal, as HTML, JUnit XML and JSON."""
