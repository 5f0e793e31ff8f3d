"""What is done about each driver problem: plain async Python over ports, without Rasa, HTTP or time of its own."""
