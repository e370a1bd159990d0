"""What `make run` adds to the product: embedded servers, a launcher, and a simulator of the providers."""
