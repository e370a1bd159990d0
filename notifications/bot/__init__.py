"""The bot's side of a chat: what a person writes or presses, and what the bot answers."""
