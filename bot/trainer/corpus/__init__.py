"""The training data that trainers edit, `data/nlu/<language>/*.yml`: read with positions, changed by single lines, looked after."""
