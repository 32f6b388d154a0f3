"""What this node thinks with: engines, language models, sentences, skills, the home's things."""
