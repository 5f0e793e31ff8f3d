"""What is probably wrong at a charger: facts gathered from the picture and the store, causes ranked by pure rules over them."""
