"""Models: trained by a warm worker, compared with the live one, promoted, rolled back, and served to every Rasa process."""
