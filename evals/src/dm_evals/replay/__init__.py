"""One trial played through the production code, with recorded answers or a real model behind it."""
