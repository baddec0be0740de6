"""The nouns of mmeval: media, samples, requests, responses, verdicts, errors and hashing."""
