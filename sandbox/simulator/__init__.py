"""Provider simulator: the Telegram Bot API, an SMTP server and an HTTP sink, with adjustable faults.

For development and tests only. Imports nothing from the rest of the project.
"""
