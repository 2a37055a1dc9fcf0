"""Where everything acknowledged is kept. `face` says what the rest of the house may ask; the engines stand behind it."""
