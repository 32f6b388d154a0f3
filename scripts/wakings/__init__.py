"""The campaign of `scripts/wakes`: chimes where nobody said the wake word, and wakes missed where somebody did."""
