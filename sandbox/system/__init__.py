"""The development system: embedded servers, then every process of the Procfile, under one command."""
