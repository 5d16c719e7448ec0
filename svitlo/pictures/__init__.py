"""Pictures: SVG made by pure functions, and PNG of it. The same SVG serves chats and web pages."""
