"""The whole system over RabbitMQ instead of Redis."""
