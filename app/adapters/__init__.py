"""One module for each outside thing: it translates, and ends what it opened."""
