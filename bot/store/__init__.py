"""The front door's store: what it keeps (`model`), what it can be asked (`base`), on SQLite and on MongoDB."""
