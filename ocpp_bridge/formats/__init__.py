"""Other ways of writing a charging network down, each turned into the document that `importing.parse` checks and reads."""
